import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { unhurried } from '../../src/core/breathe.ts';
import { amountOf, datasetSizes } from '../../src/operations/cost/sizes.ts';
import { freedBy } from '../../src/retention/index.ts';
import { createIds } from '../../src/vault/format/ids.ts';
import { packList } from '../../src/vault/format/pack-list.ts';
import { sha256Hex } from '../../src/vault/hash.ts';
import { createHeldPacks } from '../../src/vault/hold/held-packs.ts';
import { createIdSet } from '../../src/vault/hold/id-set.ts';
import { countedTogether, type Needs, neededTogether, packsOf } from '../../src/vault/hold/needs.ts';
import type { RestorePoint } from '../../src/vault/index.ts';
import { lockNeeds } from '../../src/vault/keep/decide.ts';

/** How often anybody went through a list. */
let walks = 0;

const ids = createIds();
const idOf = (kind: string, at: number) => sha256Hex(Buffer.from(`${kind} ${at}`));
const packs = Array.from({ length: 40 }, (_, at) => ids.add(idOf('pack', at)));

/** Restore points, a tenth of which go, that all name the same ten lists of four packs. */
function history(count: number) {
  const lists = Array.from({ length: 10 }, (_, at) => {
    const list = packList(ids, Uint32Array.from(packs.slice(at * 4, at * 4 + 4)), Uint32Array.of(1, 2, 3, 4));
    const counting =
      <Visit>(walk: (visit: Visit) => void) =>
      (visit: Visit) => {
        walks++;
        walk(visit);
      };
    return { ...list, each: counting(list.each), eachRun: counting(list.eachRun) };
  });
  return Array.from({ length: count }, (_, at) => {
    const needs: Needs = { manifest: [idOf('manifest', at), 100], lists: [], packs: packsOf(ids, lists), keys: [] };
    const record = { dataset: `data-${at % 2}` } as RestorePoint['record'];
    return { key: `snapshots/${at}`, record, needs } as RestorePoint & { needs: Needs };
  });
}

const held = createHeldPacks(ids);
for (const [at, number] of packs.entries()) held.add(ids.idOf(number), { sizeBytes: (at % 4) + 1, modifiedMs: 0 });

test.each<[string, (points: ReturnType<typeof history>) => unknown]>([
  ['what they need together', (points) => [...neededTogether(points)]],
  ['the same, counted', (points) => [...countedTogether(points)]],
  [
    'locks',
    (points) => [
      ...lockNeeds(
        points.map((point) => ({ point })),
        [],
        { nowMs: 0, birthMs: 0 },
      ).all(),
    ],
  ],
  ['what a prune frees', (points) => freedBy(points, new Set(points.slice(points.length / 10).map(({ key }) => key)))],
  [
    'the sizes of datasets',
    async (points) => [await datasetSizes(points, async () => {}), amountOf(countedTogether(points))],
  ],
  [
    'whether a place holds them',
    (points) => expect(points.every(({ needs }) => held.hasAllOf(needs.packs))).toBe(true),
  ],
  ['what is beyond some of them', (points) => [...createIdSet(ids).beyond(points.map(({ needs }) => needs))]],
])('house-10: a list is walked as often for a thousand restore points that name it as for ten: %s', async (_, work) => {
  const walksFor = async (count: number) => {
    const points = history(count);
    walks = 0;
    await work(points);
    return walks;
  };
  const few = await walksFor(10);
  expect(few).toBeGreaterThan(0);
  expect(await walksFor(1000)).toBe(few);
});

test('house-10: who goes through a million objects lets others have their turn, and hears that it is to stop', async () => {
  const stop = new AbortController();
  const million = (function* () {
    for (let at = 0; at < 1_000_000; at++) yield at;
  })();
  let seen = 0;
  const walk = async () => {
    for await (const at of unhurried(million, stop.signal)) seen = at;
  };
  const walked = expect(walk()).rejects.toThrow('enough');
  await nextTurn();
  stop.abort(new Error('enough'));
  await walked;
  expect(seen).toBeLessThan(10_000);
});
