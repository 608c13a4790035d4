/**
 * Paths inside a restore point. A path is a *byte string*: relative, components joined by `/`, each byte one character
 * U+0000–U+00FF (what Node calls latin1), because file names on Linux are bytes and need not be UTF-8.
 */
export type BytePath = string;

/** Bytes → the string form used throughout. */
export function fromBytes(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The string form → bytes, for the file system. */
export function toBytes(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** A path that came from text (configuration, command line) → its bytes as UTF-8. */
export function pathFromText(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** For people: UTF-8 where it is valid, and every control character or stray byte as `\xNN`. Never breaks a line. */
export function showPath(path: BytePath): string {
  const bytes = toBytes(path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    text = path.replace(/[\x80-\xff]/g, escapeByte);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters in file names are the point
  return text.replace(/[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeByte);
}

function escapeByte(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * The one order of entries in a restore point: depth first, names by byte value; a folder directly before what is in it.
 * Sorting by component is the same as sorting with `/` below every other byte.
 */
export function comparePaths(a: BytePath, b: BytePath): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    if (x === 0x2f) return -1;
    if (y === 0x2f) return 1;
    return x - y;
  }
  return a.length - b.length;
}

/** Whether `path` is `folder` or lies in it. The empty folder holds everything. */
export function isInside(path: BytePath, folder: BytePath): boolean {
  return folder === '' || path === folder || (path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f);
}

/** Whether `path` may be written below a target folder: relative, no empty, `.` or `..` component, no NUL. */
export function isSafePath(path: BytePath): boolean {
  if (path === '' || path.includes('\0')) return false;
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}
