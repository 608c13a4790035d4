import { createHmac } from 'node:crypto';
import { createIds } from '../format/ids.ts';
import { decodePackList, encodePackList, type ListName, MAX_LISTED_PACKS, type PackList } from '../format/pack-list.ts';
import { sha256Hex } from '../hash.ts';
import { type Packs, packsOf } from '../hold/needs.ts';

/** A list ends, past the first of these, with a pack whose id ends so: about one of a thousand. */
const LEAST_PACKS = 512;
const END = 0x3ff;

export type SizedPack = readonly [id: string, sizeBytes: number];

/**
 * Cuts packs, in the order in which they were stored, into lists that successive restore points share: new packs come last, and
 * one that is gone changes its own list and rarely the next.
 */
export function cutIntoLists(packs: readonly SizedPack[]): SizedPack[][] {
  const lists: SizedPack[][] = [];
  let from = 0;
  for (const [at, [id]] of packs.entries()) {
    const count = at + 1 - from;
    const ends = (Number.parseInt(id.slice(-8), 16) & END) === 0;
    if (count < MAX_LISTED_PACKS && !(ends && count >= LEAST_PACKS)) continue;
    lists.push(packs.slice(from, at + 1));
    from = at + 1;
  }
  if (from < packs.length) lists.push(packs.slice(from));
  return lists;
}

/** Where lists are stored, as a writer sees it. */
export interface ListStore {
  /** Whether all places that take part hold the list. */
  isHeld(id: string): boolean;
  /** Whether this writer stored it at any time: where such a one is not held, what lies under its name may be damaged. */
  isKnown(id: string): boolean;
  /** Whether no prune names it. */
  mayUse(id: string): boolean;
  put(id: string, bytes: Uint8Array): Promise<void>;
  saltOf(packs: readonly SizedPack[], attempt: number): Uint8Array;
}

export interface StoredLists {
  readonly lists: readonly ListName[];
  readonly packs: Packs;
  /** Bytes of those that were new. */
  readonly storedBytes: number;
}

/** Stores those of the lists that are not held, and says how a record names them all. What a prune names is absent, as with packs. */
export async function storeLists(parts: readonly SizedPack[][], store: ListStore): Promise<StoredLists> {
  const ids = createIds();
  const lists: ListName[] = [];
  const counted: PackList[] = [];
  let storedBytes = 0;
  for (const part of parts) {
    for (let attempt = 0; ; attempt++) {
      const bytes = encodePackList(part, store.saltOf(part, attempt));
      const id = sha256Hex(bytes);
      if (!store.mayUse(id) || (store.isKnown(id) && !store.isHeld(id))) continue;
      if (!store.isHeld(id)) {
        await store.put(id, bytes);
        storedBytes += bytes.length;
      }
      const list = decodePackList(bytes, ids);
      counted.push(list);
      lists.push([id, part.length, list.totalBytes]);
      break;
    }
  }
  return { lists, packs: packsOf(ids, counted), storedBytes };
}

/**
 * The same for the same packs, so that a list is found again without being remembered; and known to nobody else: who could tell
 * a list's name beforehand could put something else under it.
 */
export function listSalt(chunkKey: Uint8Array, packs: readonly SizedPack[], attempt: number): Uint8Array {
  const hmac = createHmac('sha256', chunkKey).update(`lifeboat list ${attempt}\n`);
  for (const [id, sizeBytes] of packs) hmac.update(`${id} ${sizeBytes}\n`);
  return hmac.digest().subarray(0, 8);
}
