import { listDamaged } from './errors.ts';
import type { Ids } from './ids.ts';

/**
 * `lists/…`: a part of the packs that a restore point needs, which its record names by hash. Restore points share the lists that
 * did not change, so that a record stays small however many packs there are. Needs no key. docs/vault-format.md specifies it.
 */
export interface PackList {
  /** Of the packs in `Ids`, in the order of the list. */
  readonly numbers: Uint32Array;
  /** Bytes of each as stored. */
  readonly sizes: Uint32Array;
  readonly totalBytes: number;
}

/** How a record names a list: its id, how many packs it has, and their bytes as stored. */
export type ListName = readonly [id: string, packs: number, sizeBytes: number];

export const MAX_LISTED_PACKS = 4096;

const MAGIC = Buffer.from('LBpacks1');
const SALT_SIZE = 8;
const ID_SIZE = 32;
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
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = new Uint32Array(count);
  let totalBytes = 0;
  for (let at = 0; at < count; at++) {
    const from = HEAD_SIZE + at * ROW_SIZE;
    const end = from + ID_SIZE;
    if (at > 0 && view.compare(view, from - ROW_SIZE, end - ROW_SIZE, from, end) <= 0) {
      throw listDamaged({ field: 'its order' });
    }
    const sizeBytes = view.readUInt32LE(end);
    if (sizeBytes === 0) throw listDamaged({ field: 'a size' });
    sizes[at] = sizeBytes;
    totalBytes += sizeBytes;
  }
  const words = new Uint32Array(ID_SIZE / 4);
  const numbers = Uint32Array.from({ length: count }, (_, at) => {
    for (let word = 0; word < words.length; word++) {
      words[word] = view.readUInt32BE(HEAD_SIZE + at * ROW_SIZE + word * 4);
    }
    return ids.addWords(words);
  });
  return { numbers, sizes, totalBytes };
}
