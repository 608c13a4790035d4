import { listDamaged } from './errors.ts';
import type { Ids } from './ids.ts';

/**
 * `lists/…`: a part of the packs that a restore point needs, which its record names by hash. Restore points share the lists that
 * did not change, so that a record stays small however many packs there are. Needs no key. docs/vault-format.md specifies it.
 */
export interface PackList {
  readonly count: number;
  readonly totalBytes: number;
  /** Visits each of its packs: its number in the `Ids` that it is counted in, and its bytes as stored. */
  each(visit: (number: number, sizeBytes: number) => void): void;
  /** The same for who asks for no sizes: many numbers follow one another. */
  eachRun(visit: (first: number, count: number) => void): void;
}

/** How a record names a list: its id, how many packs it has, and their bytes as stored. */
export type ListName = readonly [id: string, packs: number, sizeBytes: number];

export const MAX_LISTED_PACKS = 4096;

const MAGIC = Buffer.from('LBpacks1');
const SALT_SIZE = 8;
const ID_SIZE = 32;
const ID_WORDS = ID_SIZE / 4;
const HEAD_SIZE = MAGIC.length + SALT_SIZE;
const ROW_SIZE = ID_SIZE + 4;

/** Bytes of a list of so many packs. */
export function listBytesOf(packs: number): number {
  return HEAD_SIZE + packs * ROW_SIZE;
}

/** @param salt 8 bytes: the same packs under another salt are a list of another name */
export function encodePackList(packs: ReadonlyArray<readonly [string, number]>, salt: Uint8Array): Uint8Array {
  if (packs.length === 0 || packs.length > MAX_LISTED_PACKS || salt.length !== SALT_SIZE) {
    throw new RangeError('no list of packs');
  }
  const bytes = Buffer.alloc(listBytesOf(packs.length));
  MAGIC.copy(bytes);
  bytes.set(salt, MAGIC.length);
  let at = HEAD_SIZE;
  for (const [id, sizeBytes] of packs.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    bytes.write(id, at, 'hex');
    bytes.writeUInt32LE(sizeBytes, at + ID_SIZE);
    at += ROW_SIZE;
  }
  return bytes;
}

/** Its packs are counted in `ids` once all of it is sound. @throws `list-damaged` */
export function decodePackList(bytes: Uint8Array, ids: Ids): PackList {
  const count = (bytes.length - HEAD_SIZE) / ROW_SIZE;
  if (!Number.isInteger(count) || count < 1 || count > MAX_LISTED_PACKS) throw listDamaged({ field: 'its length' });
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw listDamaged({ field: 'its beginning' });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Uint32Array(count * ID_WORDS);
  const sizes = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const from = HEAD_SIZE + at * ROW_SIZE;
    for (let word = 0; word < ID_WORDS; word++) words[at * ID_WORDS + word] = view.getUint32(from + word * 4);
    if (at > 0 && !isAscending(words, at)) throw listDamaged({ field: 'its order' });
    sizes[at] = view.getUint32(from + ID_SIZE, true);
    if (sizes[at] === 0) throw listDamaged({ field: 'a size' });
  }
  const numbers = new Uint32Array(count);
  // A list that shares packs with an earlier one goes on as that did.
  for (let at = 0, next = 0; at < count; at++) {
    numbers[at] = ids.addWords(words, at * ID_WORDS, next);
    next = numbers[at]! + 1;
  }
  return packList(ids, numbers, sizes);
}

/** Whether that id is higher than the one before it. */
function isAscending(words: Uint32Array, at: number): boolean {
  const from = at * ID_WORDS;
  let word = 0;
  while (word < ID_WORDS && words[from + word] === words[from + word - ID_WORDS]) word++;
  return word < ID_WORDS && words[from + word]! > words[from + word - ID_WORDS]!;
}

/**
 * A vault may have thousands of lists that share most of their thousand packs, which were counted one after the other. So of the numbers
 * only runs are held, and of the sizes only those about which lists disagree.
 * @param numbers of packs in `ids`, each once
 */
export function packList(ids: Ids, numbers: Uint32Array, sizes: Uint32Array): PackList {
  let totalBytes = 0;
  let agrees = true;
  for (let at = 0; at < numbers.length; at++) {
    totalBytes += sizes[at]!;
    if (!ids.addSize(numbers[at]!, sizes[at]!)) agrees = false;
  }
  const ascending = numbers.toSorted();
  const own = agrees ? undefined : sizesOf(ascending, numbers, sizes);
  const runs = runsOf(ascending);
  return {
    count: numbers.length,
    totalBytes,
    each(visit) {
      let at = 0;
      for (let run = 0; run < runs.length; run += 2) {
        const end = runs[run]! + runs[run + 1]!;
        for (let number = runs[run]!; number < end; number++) visit(number, own?.[at++] ?? ids.sizeOf(number));
      }
    },
    eachRun(visit) {
      for (let run = 0; run < runs.length; run += 2) visit(runs[run]!, runs[run + 1]!);
    },
  };
}

function sizesOf(ascending: Uint32Array, numbers: Uint32Array, sizes: Uint32Array): Uint32Array {
  const sizeOf = new Map(numbers.entries().map(([at, number]) => [number, sizes[at]!]));
  return ascending.map((number) => sizeOf.get(number)!);
}

/** The first of each run and how many, in pairs. */
function runsOf(ascending: Uint32Array): Uint32Array {
  const runs = new Uint32Array(ascending.length * 2);
  let used = 0;
  for (let at = 0; at < ascending.length; at++) {
    if (at > 0 && ascending[at] === ascending[at - 1]! + 1) {
      runs[used - 1]!++;
      continue;
    }
    runs[used++] = ascending[at]!;
    runs[used++] = 1;
  }
  return runs.slice(0, used);
}
