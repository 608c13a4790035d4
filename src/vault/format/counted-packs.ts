import { compareWords, type Ids, readHex } from '../ids.ts';

/** The packs of a record as numbers of `ids`: four bytes for each, where texts take more than a hundred. */
export interface CountedPacks {
  readonly ids: Ids;
  /** In the order of the record. */
  readonly numbers: Uint32Array;
  sizeAt(at: number): number;
  packAt(at: number): readonly [string, number];
}

const known = new WeakMap<object, CountedPacks>();

/** Undefined for a record that was not read with `Ids`. */
export function countedPacks(record: object): CountedPacks | undefined {
  return known.get(record);
}

/** Gives a record its packs as numbers. Their texts are made when somebody asks for them, and not kept. */
export function withPacks<Record extends object>(record: Record, counted: CountedPacks): Record {
  known.set(record, counted);
  let last: WeakRef<(readonly [string, number])[]> | undefined;
  return Object.defineProperty(record, 'packs', {
    enumerable: true,
    get() {
      const packs = last?.deref() ?? Array.from(counted.numbers, (_, at) => counted.packAt(at));
      last = new WeakRef(packs);
      return packs;
    },
  });
}

const [comma, quote, open, close, zero] = [...Buffer.from(',"[]0')] as [number, number, number, number, number];
const HEX = 64;
/** `["` and the id and `",` and a digit and `]`, and what parts it from the next. */
const leastBytes = HEX + 7;

/**
 * Reads `["<id>",<size>],["<id>",<size>] …`, sorted by id, as canonical JSON writes it. Undefined for anything else: what is
 * wrong with it, the reader of the whole record says.
 */
export function readPacks(bytes: Uint8Array, ids: Ids): CountedPacks | undefined {
  const numbers = new Uint32Array(Math.floor((bytes.length + 1) / leastBytes));
  const odd = new Map<number, number>();
  let [words, before] = [new Uint32Array(8), new Uint32Array(8)];
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    if (count > 0 && bytes[at++] !== comma) return undefined;
    if (bytes[at] !== open || bytes[at + 1] !== quote || !readHex(bytes, at + 2, words)) return undefined;
    at += 2 + HEX;
    if (bytes[at] !== quote || bytes[at + 1] !== comma) return undefined;
    const from = at + 2;
    let sizeBytes = 0;
    for (at = from; isDigit(bytes[at]); at++) sizeBytes = sizeBytes * 10 + (bytes[at]! - zero);
    const isCanonical = at === from + 1 || (at > from && bytes[from] !== zero);
    if (!isCanonical || !Number.isSafeInteger(sizeBytes) || bytes[at++] !== close) return undefined;
    if (count > 0 && compareWords(before, words) >= 0) return undefined;
    const number = ids.addWords(words);
    if (ids.firstSize(number, sizeBytes) !== sizeBytes) odd.set(count, sizeBytes);
    numbers[count] = number;
    [words, before] = [before, words];
  }
  return countedFrom(ids, numbers.length === count ? numbers : numbers.slice(0, count), odd);
}

/** @param odd sizes, by place in the list, that differ from what was said first */
function countedFrom(ids: Ids, numbers: Uint32Array, odd: ReadonlyMap<number, number>): CountedPacks {
  const sizeAt = (at: number) => odd.get(at) ?? ids.firstSize(numbers[at]!, 0);
  return { ids, numbers, sizeAt, packAt: (at) => [ids.idOf(numbers[at]!), sizeAt(at)] };
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte < zero + 10;
}
