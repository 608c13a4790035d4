import { expect, test } from 'vitest';
import { createIds } from '../vault/format/ids.ts';
import { createHeldPacks } from '../vault/hold/held-packs.ts';
import { packsOf, type WithNeeds } from '../vault/hold/needs.ts';
import type { Place } from '../vault/prune/place.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { wholeAt } from './prune-facts.ts';

const ids = createIds();
const held = (sizeBytes: number) => ({ sizeBytes, modifiedMs: 0 });
const [manifest, list, key] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)];
const needs = {
  manifest: [manifest, 9],
  lists: [],
  packs: packsOf(ids, []),
  keys: [['e'.repeat(64), key, 5]],
} as const;
const point = { key: 'snapshots/one', destinations: ['disk'], needs } as unknown as WithNeeds<RestorePoint>;

function placeWith(epochKeys: Place['epochKeys']): Place {
  return {
    destination: { name: 'disk' },
    packs: createHeldPacks(ids),
    manifests: new Map([[manifest, held(9)]]),
    lists: new Map([[list, held(1)]]),
    epochKeys,
    records: new Map([[point.key, held(1)]]),
    early: new Set([point.key]),
  } as unknown as Place;
}

test('a restore point whose key object is gone, or another one, is whole nowhere: nothing goes for its sake', () => {
  expect(wholeAt([placeWith(new Map([[key, held(5)]]))], point)).toEqual(['disk']);
  expect(wholeAt([placeWith(new Map())], point)).toEqual([]);
  expect(wholeAt([placeWith(new Map([[key, held(6)]]))], point)).toEqual([]);
});
