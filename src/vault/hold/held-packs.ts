import type { Ids } from '../format/ids.ts';
import type { PackList } from '../format/pack-list.ts';
import { collectSooner } from './collect-sooner.ts';
import type { Packs } from './needs.ts';

/** The first version of an object, by the store's clock: later ones and delete markers say nothing about it. */
export interface Held {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** The packs that a place holds, by id. There may be a million, so a map of objects would not do. */
export interface HeldPacks extends Iterable<[string, Held]> {
  readonly size: number;
  has(id: string): boolean;
  get(id: string): Held | undefined;
  keys(): IteratorObject<string>;
  /** Without their ids, which take longer to write out than to sum up. */
  values(): IteratorObject<Held>;
  entries(): IteratorObject<[string, Held]>;
  /** Visits each by its number in `ids`, with its time: a million ids take longer to write out and to look up than all that is decided about them. */
  eachIn(ids: Ids, visit: (number: number, modifiedMs: number) => void): void;
  /** Whether all of these are there, as large as their lists say. */
  hasAllOf(packs: Packs): boolean;
}

export interface HeldPacksDraft extends HeldPacks {
  add(id: string, held: Held): void;
}

export function createHeldPacks(ids: Ids): HeldPacksDraft {
  /** By number of the id: where the rest is told, and one. */
  let rows = new Uint32Array(ids.size + 16);
  let numbers = new Uint32Array(16);
  let sizes = new Float64Array(16);
  let times = new Float64Array(16);
  let size = 0;
  /** Of lists that were asked for, whether all of their packs are there: restore points name the same over and over. */
  const whole = new Map<PackList, boolean>();

  const rowOf = (id: string) => rows[ids.find(id) ?? -1] ?? 0;
  const heldIn = (row: number): Held => ({ sizeBytes: sizes[row - 1]!, modifiedMs: times[row - 1]! });
  function* keys() {
    for (let row = 1; row <= size; row++) yield ids.idOf(numbers[row - 1]!);
  }
  function* values(): Generator<Held> {
    for (let row = 1; row <= size; row++) yield heldIn(row);
  }
  function* entries(): Generator<[string, Held]> {
    for (let row = 1; row <= size; row++) yield [ids.idOf(numbers[row - 1]!), heldIn(row)];
  }

  return {
    get size() {
      return size;
    },
    add(id, { sizeBytes, modifiedMs }) {
      whole.clear();
      const number = ids.add(id);
      if (number >= rows.length) rows = wider(rows, new Uint32Array(number * 2));
      if (rows[number] === 0) {
        if (size === numbers.length) {
          collectSooner(size);
          numbers = wider(numbers, new Uint32Array(size * 2));
          sizes = wider(sizes, new Float64Array(size * 2));
          times = wider(times, new Float64Array(size * 2));
        }
        rows[number] = ++size;
        numbers[size - 1] = number;
      }
      const at = rows[number]! - 1;
      sizes[at] = sizeBytes;
      times[at] = modifiedMs;
    },
    has: (id) => rowOf(id) > 0,
    get(id) {
      const row = rowOf(id);
      return row === 0 ? undefined : heldIn(row);
    },
    keys,
    values,
    entries,
    eachIn(others, visit) {
      for (let row = 1; row <= size; row++) {
        const number = numbers[row - 1]!;
        visit(others === ids ? number : others.add(ids.idOf(number)), times[row - 1]!);
      }
    },
    [Symbol.iterator]: entries,
    hasAllOf(packs) {
      if (packs.unread.length > 0) return false;
      if (packs.ids !== ids) {
        for (const [id, sizeBytes] of packs) if (sizes[rowOf(id) - 1] !== sizeBytes) return false;
        return true;
      }
      return packs.parts.every((part) => {
        const known = whole.get(part);
        if (known !== undefined) return known;
        let hasAll = true;
        part.each((number, sizeBytes) => {
          hasAll &&= sizes[(rows[number] ?? 0) - 1] === sizeBytes;
        });
        whole.set(part, hasAll);
        return hasAll;
      });
    },
  };
}

function wider<Column extends Uint32Array | Float64Array>(column: Column, into: Column): Column {
  into.set(column);
  return into;
}
