import { isSha256 } from './keys.ts';
import { readJson, type SignedReading, signedBytes } from './signed-json.ts';
import { verify } from './signing.ts';

/** A list that may be a million entries long; `end` is what closes it and its last entry. */
export interface LongList {
  readonly name: string;
  readonly end: ']' | ']]';
}

interface Parted {
  /** Canonical JSON in which the lists are empty. */
  readonly rest: Uint8Array;
  /** What stands between the brackets of each. */
  readonly lists: readonly Uint8Array[];
}

/**
 * Reads a signed object without a value for each entry of its long lists: these are taken out, the rest is read as an object in
 * which they are empty, and the signature is checked over the whole. Undefined for what is not canonical, not of this shape or
 * not signed. What is in a list (the bytes between its brackets) is for its own reader to judge.
 *
 * What follows the only `"name":[` is that list: no text holds a bare quotation mark, so it stands where a member begins. Where
 * there is another, in a field that a later program put there, nothing is said here: it is read as a whole.
 */
export function readParted(bytes: Uint8Array, { kind, shape }: SignedReading, lists: readonly LongList[]) {
  const parted = part(bytes, lists);
  if (parted === undefined) return undefined;
  let value: unknown;
  try {
    value = readJson(parted.rest, shape, ({ field }) => new Error(field));
  } catch {
    return undefined;
  }
  const signed = value as { readonly writer: string; readonly signature: string };
  const names = lists.map(({ name }) => name);
  const whole = joinLists(signedBytes(kind, signed), names, parted.lists);
  return verify(whole, signed.signature, signed.writer) ? { value, lists: parted.lists } : undefined;
}

/** Undefined where a list is not found, or not the only one of its name. */
function part(bytes: Uint8Array, lists: readonly LongList[]): Parted | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rest: Uint8Array[] = [];
  const between: Uint8Array[] = [];
  let done = 0;
  for (const { name, end } of lists) {
    const start = startOf(buffer, name, done);
    const isEmpty = buffer[start] === CLOSE;
    const stop = isEmpty ? start : buffer.indexOf(end, start) + end.length - 1;
    if (start < 0 || stop < start) return undefined;
    rest.push(buffer.subarray(done, start));
    between.push(buffer.subarray(start, stop));
    done = stop;
  }
  const whole = Buffer.concat([...rest, buffer.subarray(done)]);
  const isOnly = lists.every(({ name }) => startOf(whole, name, startOf(whole, name, 0)) < 0);
  return isOnly ? { rest: whole, lists: between } : undefined;
}

/** Puts each list between its brackets, which are empty in `rest`. @param names in the order of canonical JSON */
export function joinLists(rest: Uint8Array, names: readonly string[], lists: readonly Uint8Array[]): Uint8Array {
  const buffer = Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength);
  const pieces: Uint8Array[] = [];
  let done = 0;
  for (const [at, name] of names.entries()) {
    const start = startOf(buffer, name, done);
    if (start < 0) throw new TypeError(`no list ${name}`);
    pieces.push(buffer.subarray(done, start), lists[at]!);
    done = start;
  }
  return Buffer.concat([...pieces, buffer.subarray(done)]);
}

const CLOSE = ']'.charCodeAt(0);

/** Behind the bracket that opens the list; negative where there is none. */
function startOf(buffer: Buffer, name: string, from: number): number {
  const opening = `"${name}":[`;
  const at = buffer.indexOf(opening, from);
  return at < 0 ? -1 : at + opening.length;
}

/** Ids between brackets, as canonical JSON writes them. */
export function idListBytes(ids: readonly string[]): Uint8Array {
  return Buffer.from(ids.length === 0 ? '' : `"${ids.join('","')}"`, 'latin1');
}

/** Quotation mark, 64 digits, quotation mark, and a comma behind all but the last. */
const idStep = 67;
const [comma, quote] = [...Buffer.from(',"')];

/** Undefined for anything but ids, sorted, each once. */
export function readIdList(bytes: Uint8Array): string[] | undefined {
  if (bytes.length > 0 && (bytes.length + 1) % idStep !== 0) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ids: string[] = [];
  for (let at = 0; at < buffer.length; at += idStep) {
    const end = at + idStep - 1;
    if (buffer[at] !== quote || buffer[end - 1] !== quote || (end < buffer.length && buffer[end] !== comma))
      return undefined;
    const id = buffer.toString('latin1', at + 1, end - 1);
    if (!isSha256(id) || id <= (ids.at(-1) ?? '')) return undefined;
    ids.push(id);
  }
  return ids;
}
