import { countedPacks } from './format/counted-packs.ts';
import type { SnapshotRecord } from './format/record.ts';
import { createIds, type Ids } from './ids.ts';

/** Ids of objects, whichever way they are held: a Set of texts is one. */
export interface SomeIds extends Iterable<string> {
  readonly size: number;
  has(id: string): boolean;
}

/** What of a record says what it needs. */
export type Needs = Pick<SnapshotRecord, 'packs' | 'manifest'>;

/** A bit for each id. */
export interface IdSet extends SomeIds {
  add(id: string): void;
  /** Packs and manifest. */
  addNeeds(record: Needs): void;
  /** Packs of a record that are not in the set, as the record gives them. */
  packsBeyond(record: Needs): Iterable<readonly [string, number]>;
}

/** The numbers that the packs of these records have already; new ones where they have none. */
export function idsOf(records: Iterable<Needs>): Ids {
  for (const record of records) {
    const counted = countedPacks(record);
    if (counted !== undefined) return counted.ids;
  }
  return createIds();
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
    addNeeds(record) {
      addNumber(ids.add(record.manifest[0]));
      const counted = countedPacks(record);
      if (counted?.ids === ids) for (const number of counted.numbers) addNumber(number);
      else for (const [id] of record.packs) addNumber(ids.add(id));
    },
    *packsBeyond(record) {
      const counted = countedPacks(record);
      if (counted?.ids !== ids) {
        for (const pack of record.packs) if (!set.has(pack[0])) yield pack;
        return;
      }
      const { numbers } = counted;
      for (let at = 0; at < numbers.length; at++) if (!hasNumber(numbers[at]!)) yield counted.packAt(at);
    },
    *[Symbol.iterator]() {
      const most = ids.size;
      for (let number = 0; number < most; number++) if (hasNumber(number)) yield ids.idOf(number);
    },
  };
  for (const id of from) set.add(id);
  return set;
}
