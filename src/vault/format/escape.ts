/**
 * Percent escapes for byte strings in tab-separated text: `%` and two lower-case hex digits for control bytes, `%` itself and
 * every byte from 0x7f on. The rest stands as it is, so that common names stay readable and awk undoes it in one loop.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters in file names are the point
const NEEDS_ESCAPE = /[\x00-\x1f%\x7f-\uffff]/;
const NEEDS_ESCAPE_ALL = new RegExp(NEEDS_ESCAPE, 'g');
// Inside a list of name=value the separators are escaped too.
const NEEDS_ESCAPE_LISTED = new RegExp(`${NEEDS_ESCAPE.source}|[,=]`);
const NEEDS_ESCAPE_LISTED_ALL = new RegExp(NEEDS_ESCAPE_LISTED, 'g');

const ESCAPES = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).padStart(2, '0')}`);

/** Throws when `text` is no byte string. */
export function escapeBytes(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(NEEDS_ESCAPE_ALL, escapeOne) : text;
}

export function escapeListed(text: string): string {
  return text.replace(NEEDS_ESCAPE_LISTED_ALL, escapeOne);
}

/** Undefined when `text` has a broken escape, a byte that should have been escaped, or one that should not: a name has one spelling. */
export function unescapeBytes(text: string): string | undefined {
  return NEEDS_ESCAPE.test(text) ? unescaped(text, NEEDS_ESCAPE) : text;
}

/** The same inside a list of name=value. */
export function unescapeListed(text: string): string | undefined {
  return NEEDS_ESCAPE_LISTED.test(text) ? unescaped(text, NEEDS_ESCAPE_LISTED) : text;
}

function unescaped(text: string, needsEscape: RegExp): string | undefined {
  let sound = true;
  const plain = text.replace(/%([0-9a-f]{2})|[\s\S]/g, (found, hex: string | undefined) => {
    const byte = hex === undefined ? found : String.fromCharCode(Number.parseInt(hex, 16));
    if (needsEscape.test(byte) !== (hex !== undefined)) sound = false;
    return byte;
  });
  return sound ? plain : undefined;
}

function escapeOne(character: string): string {
  const code = ESCAPES[character.charCodeAt(0)];
  if (code === undefined) throw new TypeError('not a byte string');
  return code;
}
