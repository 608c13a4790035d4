import type { Ids } from '../format/ids.ts';
import { listBytesOf, type PackList } from '../format/pack-list.ts';
import type { Needs } from './needs.ts';

/** Ids of objects, whichever way they are held: a Set of texts is one. */
export interface SomeIds extends Iterable<string> {
  readonly size: number;
  has(id: string): boolean;
}

/**
 * A bit for each id. Restore points name the same lists, each of a thousand packs, over and over: whatever is done with the needs of many
 * walks a list once, or it would take as many steps as there are restore points times packs.
 */
export interface IdSet extends SomeIds {
  add(id: string): void;
  /** By number of the id. */
  hasNumber(number: number): boolean;
  /** Whether it is new. */
  addNumber(number: number): boolean;
  /** Those of a list that is counted in the same `Ids`. */
  addList(list: PackList): void;
  addNeeds(needs: Needs): void;
  /** A new set, of those that are not in the other one, which is of the same `Ids`. */
  without(other: IdSet): IdSet;
  /** What of all these needs is not in the set, `[id, size in bytes]`: who adds it as it comes gets each once. */
  beyond(all: Iterable<Needs>): Iterable<readonly [string, number]>;
}

export function createIdSet(ids: Ids, from: Iterable<string> = []): IdSet {
  let bits = new Uint32Array(Math.ceil((ids.size + 1) / 32));
  let size = 0;
  /** All of them is in the set. */
  const walked = new Set<PackList>();

  const hasNumber = (number: number) => ((bits[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  function makeRoomFor(number: number): void {
    if (number >>> 5 < bits.length) return;
    const wider = new Uint32Array(Math.max(bits.length * 2, (number >>> 5) + 1));
    wider.set(bits);
    bits = wider;
  }
  function addNumber(number: number): boolean {
    if (hasNumber(number)) return false;
    makeRoomFor(number);
    bits[number >>> 5]! |= 1 << (number & 31);
    size++;
    return true;
  }
  /** A word at once. */
  function addRun(first: number, count: number): void {
    const end = first + count;
    makeRoomFor(end);
    for (let from = first; from < end; ) {
      const to = Math.min(end, (from | 31) + 1);
      const mask = (0xffffffff >>> (32 - (to - from))) << (from & 31);
      const fresh = mask & ~bits[from >>> 5]!;
      bits[from >>> 5]! |= mask;
      size += ones(fresh);
      from = to;
    }
  }

  function* packsBeyond({ packs }: Needs, known: Set<PackList>): Generator<readonly [string, number]> {
    if (packs.ids !== ids) {
      for (const pack of packs) if (!set.has(pack[0])) yield pack;
      return;
    }
    for (const part of packs.parts) {
      if (walked.has(part) || known.has(part)) continue;
      known.add(part);
      const beyond: (readonly [number, number])[] = [];
      part.each((number, sizeBytes) => {
        if (!hasNumber(number)) beyond.push([number, sizeBytes]);
      });
      for (const [number, sizeBytes] of beyond) if (!hasNumber(number)) yield [ids.idOf(number), sizeBytes];
    }
  }

  const set: IdSet = {
    get size() {
      return size;
    },
    has(id) {
      const number = ids.find(id);
      return number !== undefined && hasNumber(number);
    },
    add: (id) => void addNumber(ids.add(id)),
    hasNumber,
    addNumber,
    addList(list) {
      if (walked.has(list)) return;
      walked.add(list);
      list.eachRun(addRun);
    },
    addNeeds({ manifest, lists, packs }) {
      set.add(manifest[0]);
      for (const [id] of lists) set.add(id);
      if (packs.ids !== ids) {
        for (const [id] of packs) set.add(id);
        return;
      }
      for (const part of packs.parts) set.addList(part);
    },
    without(other) {
      const left = createIdSet(ids);
      for (let number = 0, most = ids.size; number < most; number++) {
        if (hasNumber(number) && !other.hasNumber(number)) left.addNumber(number);
      }
      return left;
    },
    *beyond(all) {
      const known = new Set<PackList>();
      for (const needs of all) {
        if (!set.has(needs.manifest[0])) yield needs.manifest;
        for (const [id, count] of needs.lists) if (!set.has(id)) yield [id, listBytesOf(count)];
        yield* packsBeyond(needs, known);
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

/** How many bits of a word are set. */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
