/** Deeper values than this are refused, so that hostile nesting cannot exhaust the stack. */
const MAX_DEPTH = 64;

/**
 * The one text of a JSON value, for signing and hashing: RFC 8785 for strings, safe integers, booleans, null, arrays and
 * plain objects. Keys are sorted by UTF-16 code unit, nothing is padded. Anything else is a programming error and throws.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new TypeError(`not canonical JSON: nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (Array.isArray(value)) return writeArray(value, depth);
  if (isPlainObject(value)) return writeObject(value, depth);
  throw new TypeError(`not canonical JSON: ${typeof value}`);
}

function writeString(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('not canonical JSON: half a surrogate pair');
  return JSON.stringify(value);
}

function writeNumber(value: number): string {
  if (!Number.isSafeInteger(value)) throw new TypeError(`not canonical JSON: ${value} is no safe integer`);
  return JSON.stringify(value);
}

function writeArray(values: readonly unknown[], depth: number): string {
  // Not map: it would skip the gaps of a sparse array and leave text that is not JSON.
  return `[${Array.from(values, (item) => write(item, depth + 1)).join(',')}]`;
}

function writeObject(object: Record<string, unknown>, depth: number): string {
  const members = Object.keys(object)
    .sort()
    .map((key) => `${writeString(key)}:${write(object[key], depth + 1)}`);
  return `{${members.join(',')}}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
