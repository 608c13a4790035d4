import type { Ids } from '../format/ids.ts';
import { listBytesOf } from '../format/pack-list.ts';
import type { Needs } from './needs.ts';

/** Ids of objects, whichever way they are held: a Set of texts is one. */
export interface SomeIds extends Iterable<string> {
  readonly size: number;
  has(id: string): boolean;
}

/** A bit for each id. */
export interface IdSet extends SomeIds {
  add(id: string): void;
  addNeeds(needs: Needs): void;
  /** What of these needs is not in the set, `[id, size in bytes]`. */
  beyond(needs: Needs): Iterable<readonly [string, number]>;
}

export function createIdSet(ids: Ids, from: Iterable<string> = []): IdSet {
  let bits = new Uint32Array(Math.ceil((ids.size + 1) / 32));
  let size = 0;

  const hasNumber = (number: number) => ((bits[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  function addNumber(number: number): void {
    if (hasNumber(number)) return;
    if (number >>> 5 >= bits.length) {
      const wider = new Uint32Array(Math.max(bits.length * 2, (number >>> 5) + 1));
      wider.set(bits);
      bits = wider;
    }
    bits[number >>> 5]! |= 1 << (number & 31);
    size++;
  }

  const set: IdSet = {
    get size() {
      return size;
    },
    has(id) {
      const number = ids.find(id);
      return number !== undefined && hasNumber(number);
    },
    add: (id) => addNumber(ids.add(id)),
    addNeeds({ manifest, lists, packs }) {
      set.add(manifest[0]);
      for (const [id] of lists) set.add(id);
      if (packs.ids !== ids) for (const [id] of packs) set.add(id);
      else for (const { numbers } of packs.parts) for (const number of numbers) addNumber(number);
    },
    *beyond({ manifest, lists, packs }) {
      if (!set.has(manifest[0])) yield manifest;
      for (const [id, count] of lists) if (!set.has(id)) yield [id, listBytesOf(count)];
      if (packs.ids !== ids) {
        for (const pack of packs) if (!set.has(pack[0])) yield pack;
        return;
      }
      for (const { numbers, sizes } of packs.parts) {
        for (const [at, number] of numbers.entries()) if (!hasNumber(number)) yield [ids.idOf(number), sizes[at]!];
      }
    },
    *[Symbol.iterator]() {
      const most = ids.size;
      for (let number = 0; number < most; number++) if (hasNumber(number)) yield ids.idOf(number);
    },
  };
  for (const id of from) set.add(id);
  return set;
}
