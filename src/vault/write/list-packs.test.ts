import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { MAX_LISTED_PACKS } from '../format/pack-list.ts';
import { cutIntoLists, type ListStore, listSalt, type SizedPack, storeLists } from './list-packs.ts';

const chunkKey = Buffer.alloc(32, 7);
const pack = (number: number): SizedPack => [createHash('sha256').update(`${number}`).digest('hex'), 1 + number];
const packs = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => pack(from + at));

function memory() {
  const held = new Set<string>();
  const known = new Set<string>();
  const banned = new Set<string>();
  const store: ListStore = {
    isHeld: (id) => held.has(id),
    isKnown: (id) => known.has(id),
    mayUse: (id) => !banned.has(id),
    async put(id) {
      held.add(id);
      known.add(id);
    },
    saltOf: (part, attempt) => listSalt(chunkKey, part, attempt),
  };
  const listed = async (all: readonly SizedPack[]) => (await storeLists(cutIntoLists(all), store)).lists;
  return { held, known, banned, listed };
}

test('lists hold all packs in order, none more than it may', () => {
  const all = packs(0, 20_000);
  const lists = cutIntoLists(all);
  expect(lists.flat()).toEqual(all);
  expect(Math.max(...lists.map(({ length }) => length))).toBeLessThanOrEqual(MAX_LISTED_PACKS);
  expect(cutIntoLists([])).toEqual([]);
});

test('a new pack changes one list, and so does one that is gone: the others keep their names', async () => {
  const { listed } = memory();
  const all = packs(0, 20_000);
  const before = new Set((await listed(all)).map(([id]) => id));
  const changed = async (now: readonly SizedPack[]) =>
    (await listed(now)).map(([id]) => id).filter((id) => !before.has(id)).length;
  expect(before.size).toBeGreaterThan(8);
  expect(await changed([...all, pack(20_000)])).toBe(1);
  for (const gone of [0, 5_000, 13_337]) expect(await changed(all.toSpliced(gone, 1))).toBeLessThanOrEqual(2);
});

test('a list that a prune named, or that a place lost, is stored under another name; one that is held is not stored again', async () => {
  const { held, banned, listed } = memory();
  const all = packs(0, 10);
  const [[first] = ['']] = await listed(all);
  expect(await listed(all)).toEqual([[first, 10, 55]]);
  expect(held.size).toBe(1);
  banned.add(first);
  const [[second] = ['']] = await listed(all);
  held.delete(second);
  const [[third] = ['']] = await listed(all);
  expect(new Set([first, second, third]).size).toBe(3);
});

test('nobody without the chunk key can say what a list will be called', () => {
  const all = packs(0, 3);
  expect(listSalt(chunkKey, all, 0)).toEqual(listSalt(chunkKey, all, 0));
  expect(listSalt(chunkKey, all, 1)).not.toEqual(listSalt(chunkKey, all, 0));
  expect(listSalt(Buffer.alloc(32, 8), all, 0)).not.toEqual(listSalt(chunkKey, all, 0));
});
