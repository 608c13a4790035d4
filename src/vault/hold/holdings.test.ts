import { expect, test } from 'vitest';
import type { Destination, Key } from '../../destinations/destination.ts';
import { tracesUnder } from '../../destinations/first-version.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { createIds } from '../format/ids.ts';
import { packKey, VAULT_KEY } from '../format/keys.ts';
import { sha256Hex } from '../hash.ts';
import { allAt } from './holdings.ts';

async function fill(place: Destination): Promise<readonly Key[]> {
  const bodies = Array.from({ length: 5 }, (_, at) => Buffer.from(`pack ${at}`));
  const keys = bodies.map((body) => packKey(sha256Hex(body)));
  for (const [at, key] of keys.entries()) await place.put(key, bodies[at]!);
  for (const key of [VAULT_KEY, 'packs/no-pack', 'elsewhere/there']) await place.put(key, Buffer.from(key));
  return keys;
}

/** What was found, compared with what a listing tells. */
async function compare(place: Destination) {
  const signal = new AbortController().signal;
  const ids = createIds();
  // As where restore points named it before.
  ids.add(sha256Hex(Buffer.from('pack 3')));
  const [listed, holdings] = [await Array.fromAsync(tracesUnder(place, '')), await allAt(place, ids, signal)];
  const byKey = (a: { key: Key }, b: { key: Key }) => (a.key < b.key ? -1 : 1);
  expect([...holdings.values()].sort(byKey)).toEqual(listed.toSorted(byKey));
  expect(holdings.size).toBe(listed.length);
  for (const trace of listed) expect([holdings.has(trace.key), holdings.get(trace.key)]).toEqual([true, trace]);
  expect(holdings.has(packKey('0'.repeat(64)))).toBe(false);
  expect(holdings.newestMs).toBe(Math.max(...listed.map(({ modifiedMs }) => modifiedMs)));
  return holdings;
}

test('what a place holds is as its listing tells it, whether it keeps versions or not', async () => {
  const plain = openMemory({ name: 'plain' });
  await fill(plain);
  const { smallKeys } = await compare(plain);
  expect([...smallKeys()].sort()).toEqual(['elsewhere/there', 'packs/no-pack', VAULT_KEY]);

  const kept = openMemory({ name: 'kept', versions: { overwrites: true } });
  const [hidden, overwritten, , twice] = await fill(kept);
  await kept.delete(hidden!);
  await kept.put(overwritten!, Buffer.from('other bytes'));
  await kept.put(twice!, Buffer.from('pack 3'));
  await compare(kept);
});

test('what stands in the place of a pack is told as that', async () => {
  const place = openMemory({ name: 'plain' });
  await fill(place);
  const key = packKey(sha256Hex(Buffer.from('a link')));
  const link = { key, sizeBytes: 0, modifiedMs: 1, instead: 'a link' };
  await compare({
    ...place,
    async *list(prefix) {
      yield* place.list(prefix);
      yield link;
    },
  });
});
