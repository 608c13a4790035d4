import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { packsOf } from '../hold/needs.ts';
import { createIds } from './ids.ts';
import { decodePackList, encodePackList, listBytesOf, MAX_LISTED_PACKS } from './pack-list.ts';

const sha = (number: number) => createHash('sha256').update(`${number}`).digest('hex');
const salts = fc.uint8Array({ minLength: 8, maxLength: 8 });
const somePacks = fc
  .uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 40 })
  .chain((all) =>
    fc.tuple(...all.map((number) => fc.tuple(fc.constant(sha(number)), fc.integer({ min: 1, max: 2 ** 32 - 1 })))),
  );
const sorted = (packs: ReadonlyArray<readonly [string, number]>) => packs.toSorted(([a], [b]) => (a < b ? -1 : 1));
const damaged = expect.objectContaining({ code: 'list-damaged' });

test('a list gives back its packs, and has one text for them under one salt, in whatever order they came', () => {
  const ids = createIds();
  fc.assert(
    fc.property(somePacks, salts, (packs, salt) => {
      const bytes = encodePackList(packs, salt);
      expect(bytes.length).toBe(listBytesOf(packs.length));
      expect(Buffer.from(encodePackList(packs.toReversed(), salt))).toEqual(Buffer.from(bytes));
      const list = decodePackList(bytes, ids);
      expect(sorted([...packsOf(ids, [list])])).toEqual(sorted(packs));
      expect(list.totalBytes).toBe(packs.reduce((sum, [, size]) => sum + size, 0));
    }),
  );
});

test('each of many lists keeps its packs and their sizes, also where another says other sizes of them', () => {
  fc.assert(
    fc.property(fc.array(somePacks, { minLength: 1, maxLength: 8 }), (all) => {
      const ids = createIds();
      const lists = all.map((packs) => decodePackList(encodePackList(packs, Buffer.alloc(8)), ids));
      for (const [at, list] of lists.entries()) {
        expect(sorted([...packsOf(ids, [list])])).toEqual(sorted(all[at]!));
        expect(list).toMatchObject({ count: all[at]!.length });
      }
    }),
  );
});

test('what is read is exactly what was written: any other bytes are refused or are another list', () => {
  fc.assert(
    fc.property(somePacks, salts, fc.nat(), fc.integer({ min: 1, max: 255 }), (packs, salt, where, change) => {
      const bytes = Buffer.from(encodePackList(packs, salt));
      bytes[where % bytes.length]! ^= change;
      const ids = createIds();
      let read: readonly (readonly [string, number])[];
      try {
        read = [...packsOf(ids, [decodePackList(bytes, ids)])];
      } catch (error) {
        expect(error).toEqual(damaged);
        // Nothing of a list that is not sound is counted.
        expect(ids.size).toBe(0);
        return;
      }
      expect(Buffer.from(encodePackList(read, bytes.subarray(8, 16)))).toEqual(bytes);
    }),
  );
});

test('H1: no length but that of 1 to 4,096 whole rows is read, and nothing is taken for what is not there', () => {
  const most = Array.from({ length: MAX_LISTED_PACKS }, (_, number) => [sha(number), 1] as const);
  const full = Buffer.from(encodePackList(most, Buffer.alloc(8)));
  expect(decodePackList(full, createIds()).count).toBe(MAX_LISTED_PACKS);
  const wrong = [0, 15, 16, 17, listBytesOf(1) - 1, listBytesOf(2) + 1].map((length) => full.subarray(0, length));
  for (const bytes of [...wrong, Buffer.concat([full, full.subarray(16, 52)])]) {
    expect(() => decodePackList(bytes, createIds())).toThrow(damaged);
  }
  expect(() => encodePackList([...most, [sha(-1), 1]], Buffer.alloc(8))).toThrow(RangeError);
  expect(() => encodePackList([], Buffer.alloc(8))).toThrow(RangeError);
});

test('a pack twice, or none of its bytes, is no list', () => {
  const two = Buffer.from(
    encodePackList(
      [
        [sha(1), 1],
        [sha(2), 1],
      ],
      Buffer.alloc(8),
    ),
  );
  const twice = Buffer.concat([two.subarray(0, 52), two.subarray(16, 52)]);
  expect(() => decodePackList(twice, createIds())).toThrow(damaged);
  two.writeUInt32LE(0, 48);
  expect(() => decodePackList(two, createIds())).toThrow(damaged);
});
