import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { listKey, packKey, VAULT_KEY } from '../format/keys.ts';
import { sha256Hex } from '../hash.ts';
import { createSizes, sizesAt } from './sizes.ts';

const { signal } = new AbortController();
const idOf = (number: number) => sha256Hex(Buffer.from(`${number}`));
const keys = fc.oneof(
  fc.nat(20).map((number) => packKey(idOf(number))),
  fc.nat(20).map((number) => listKey(idOf(number))),
  fc.constantFrom(VAULT_KEY, 'rescue.sh', 'packs/what is none'),
);

test('sizes are held as in a map, those of packs too', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(keys, fc.nat())), keys, (entries, other) => {
      const [sizes, map] = [createSizes(), new Map<string, number>()];
      for (const [key, sizeBytes] of entries) {
        sizes.set(key, sizeBytes);
        map.set(key, sizeBytes);
      }
      expect(new Map(sizes)).toEqual(map);
      for (const key of [...map.keys(), other]) {
        expect(sizes.get(key)).toBe(map.get(key));
        expect(sizes.has(key)).toBe(map.has(key));
      }
      expect([...sizes.smallKeys()].sort()).toEqual([...map.keys()].filter((key) => !/^packs\/..\//.test(key)).sort());
    }),
  );
});

test('what a place holds is listed with its size, and what is no object of a vault is left out', async () => {
  const place = openMemory({ name: 'disk' });
  const stored = [packKey(idOf(1)), listKey(idOf(2)), VAULT_KEY];
  for (const [at, key] of [...stored, 'somebody/elses'].entries()) await place.put(key, Buffer.alloc(at + 1));
  const { sizes } = await sizesAt(place, signal);
  expect(new Map(sizes)).toEqual(new Map(stored.map((key, at) => [key, at + 1])));
});
