/**
 * Percent escapes for byte strings in tab-separated text: `%` and two lower-case hex digits for control bytes, `%` itself and
 * every byte from 0x7f on. The rest stands as it is, so that common names stay readable and awk undoes it in one loop.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters in file names are the point
const NEEDS_ESCAPE = /[\x00-\x1f%\x7f-\uffff]/;
const NEEDS_ESCAPE_ALL = new RegExp(NEEDS_ESCAPE, 'g');
// Inside a list of name=value the separators are escaped too.
const NEEDS_ESCAPE_IN_LIST = new RegExp(`${NEEDS_ESCAPE.source}|[,=]`, 'g');

const ESCAPES = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).padStart(2, '0')}`);

/** Throws when `text` is no byte string. */
export function escapeBytes(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(NEEDS_ESCAPE_ALL, escapeOne) : text;
}

export function escapeListed(text: string): string {
  return text.replace(NEEDS_ESCAPE_IN_LIST, escapeOne);
}

/** Undefined when `text` has a broken escape, or a byte that should have been escaped. */
export function unescapeBytes(text: string): string | undefined {
  if (!NEEDS_ESCAPE.test(text)) return text;
  let sound = true;
  const plain = text.replace(/%([0-9a-f]{2})|[\s\S]/g, (found, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (NEEDS_ESCAPE.test(found)) sound = false;
    return found;
  });
  return sound ? plain : undefined;
}

function escapeOne(character: string): string {
  const code = ESCAPES[character.charCodeAt(0)];
  if (code === undefined) throw new TypeError('not a byte string');
  return code;
}
