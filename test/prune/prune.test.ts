import { existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { erase } from '../../src/operations/erase.ts';
import { pin, unpin } from '../../src/operations/pins.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { reasonText } from '../../src/retention/index.ts';
import { listKey } from '../../src/vault/format/keys.ts';
import { pictureOf } from '../support/pictures.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

const plain: PruneRequest = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };

async function pruned(system: TestSystem, request: Partial<PruneRequest> = {}) {
  using open = system.open();
  return await prune(open, { ...plain, ...request }, startRun({ clock: systemClock }));
}

/** As if what lies under `prefix` had been stored so much earlier. */
function age(system: TestSystem, byMs: number, prefix = 'gc/'): void {
  for (const name of Object.keys(system.config.destinations)) {
    if (!existsSync(system.at(name))) continue;
    for (const key of objectsIn(system.at(name)).keys()) {
      if (!key.startsWith(prefix)) continue;
      const file = join(system.at(name), key);
      const at = (Date.now() - byMs) / 1000;
      utimesSync(file, at, at);
    }
  }
}

const keepLast = (last: number) => ({ last, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 });

test('what retention drops goes in two steps; what it keeps restores, and all is sound', async () => {
  const system = withRetention(await aSystem(), keepLast(1));
  smallTree(system.source());
  const dropped = [];
  for (let time = 0; time < 3; time++) {
    writeFileSync(join(system.source(), 'data'), noise(400_000));
    dropped.push(await system.backUp());
  }
  const packs = () => [...objectsIn(system.at()).keys()].filter((key) => key.startsWith('packs/')).length;
  const before = packs();
  const indexes = () => [...objectsIn(system.at()).keys()].filter((key) => key.startsWith('index/')).length;
  const indexesBefore = indexes();
  const marked = await pruned(system);
  expect(marked.withdrawn.map(({ record }) => record.id)).toEqual(dropped.slice(0, 2).map(({ record }) => record.id));
  expect(marked.places[0]?.swept?.objects).toBe(0);
  expect(packs()).toBe(before);

  writeFileSync(join(system.source(), 'data'), noise(400_000));
  const picture = pictureOf(system.source());
  const { record, needs } = await system.backUp();
  age(system, 4 * dayMs);
  const swept = await pruned(system);
  expect(swept.places[0]?.swept).toMatchObject({ records: 2 });
  const kept = new Set([...needs.packs].map(([id]) => id));
  const left = new Set(objectsIn(system.at()).keys());
  const gone = dropped.slice(0, 2);
  // What the first one stored may lie in one pack with what is kept; what the second one added to it does not.
  expect(gone.flatMap(({ needs }) => [...needs.packs].filter(([id]) => !kept.has(id)))).not.toEqual([]);
  for (const { record } of gone) for (const [id] of record.lists) expect(left.has(listKey(id))).toBe(false);
  expect((await system.points()).map((point) => point.record.id)).toEqual([dropped[2]?.record.id, record.id]);
  expect(indexes()).toBeLessThan(indexesBefore + 1);
  expectSame(await system.readBack(record.id), picture);
  const { sound, suspect, findings } = await system.verify();
  expect({ sound, suspect, findings }).toMatchObject({ sound: true, suspect: [] });
});

function withRetention(system: TestSystem, retention: ReturnType<typeof keepLast>): TestSystem {
  for (const dataset of Object.values(system.config.datasets)) Object.assign(dataset, { retention });
  return system;
}

/** Backs up so often, each time with other data. */
async function history(system: TestSystem, count: number) {
  smallTree(system.source());
  const records = [];
  for (let time = 0; time < count; time++) {
    writeFileSync(join(system.source(), 'data'), noise(200_000));
    records.push((await system.backUp()).record);
  }
  return records;
}

/** Prunes as often as it takes until everything that may go has gone. */
async function pruneToTheEnd(system: TestSystem) {
  for (let time = 0; time < 2; time++) {
    await pruned(system);
    writeFileSync(join(system.source(), 'data'), noise(200_000));
    await system.backUp();
    age(system, 4 * dayMs);
  }
  return await pruned(system);
}

const idsOf = async (system: TestSystem) => (await system.points()).map(({ record }) => record.id);

test('a dry run changes nothing and says what would go and why the rest stays', async () => {
  const system = withRetention(await aSystem(), keepLast(2));
  const records = await history(system, 4);
  const before = [...objectsIn(system.at()).keys()].filter((key) => !key.startsWith('ledger/'));
  const { plan, generation } = await pruned(system, { dryRun: true });
  expect(generation).toBeUndefined();
  expect(
    plan.datasets[0]?.points.map(({ point, keep, reasons }) => [point.record.id, keep, reasons.map(reasonText)]),
  ).toEqual([
    [records[3]?.id, true, ['last 2']],
    [records[2]?.id, true, ['last 2']],
    [records[1]?.id, false, []],
    [records[0]?.id, false, []],
  ]);
  expect([...objectsIn(system.at()).keys()].filter((key) => !key.startsWith('ledger/'))).toEqual(before);
});

test('more than a fifth at once asks first, and nothing was changed', async () => {
  const system = withRetention(await aSystem(), keepLast(1));
  // More in one hour than the schedule makes: those of a healthy system would go without a question.
  await history(system, 7);
  // house-4.8: a rehearsal tells what would stop the act, and decides nothing that the act decides again.
  const rehearsed = await pruned(system, { allowLarge: false, dryRun: true });
  expect(rehearsed.brakes.map(({ code }) => code)).toEqual(['prune-too-large']);
  expect((await pruned(system, { dryRun: true })).brakes).toEqual([]);
  await expect(pruned(system, { allowLarge: false })).rejects.toThrow(rehearsed.brakes[0]?.message);
  await expect(pruned(system, { allowLarge: false })).rejects.toMatchObject({ code: 'prune-too-large', exit: 1 });
  expect([...objectsIn(system.at()).keys()].filter((key) => key.startsWith('gc/'))).toEqual([]);
});

test('a pin holds a restore point against the retention, and unpinned it goes', async () => {
  const system = withRetention(await aSystem(), keepLast(1));
  const [first] = await history(system, 3);
  const run = startRun({ clock: systemClock });
  using open = system.open();
  const vault = await open.vault(() => {});
  await pin(open, vault, { point: first!.id, reason: 'before migration 2.4' }, run);
  await pruneToTheEnd(system);
  expect(await idsOf(system)).toContain(first!.id);
  expect((await pruned(system, { dryRun: true })).plan.datasets[0]?.points.at(-1)?.reasons.map(reasonText)).toEqual([
    'pinned: before migration 2.4',
  ]);
  await unpin(open, vault, first!.id, run);
  await pruneToTheEnd(system);
  expect(await idsOf(system)).not.toContain(first!.id);
  await expect(unpin(open, vault, first!.id, run)).rejects.toMatchObject({ code: 'not-pinned' });
});

test('an erasure by path removes every restore point that holds it, and the vault stays sound', async () => {
  const system = withRetention(await aSystem(), keepLast(9));
  smallTree(system.source());
  mkdirSync(join(system.source(), 'people'));
  writeFileSync(join(system.source(), 'people/anna.txt'), 'a person');
  const held = [(await system.backUp()).record.id, (await system.backUp()).record.id];
  const request = {
    dataset: 'uploads',
    // As a shell completes it.
    paths: ['./people/'],
    points: [],
    reason: 'her wish',
    identities: [system.identity],
  };
  const run = startRun({ clock: systemClock });
  using open = system.open();
  const vault = await open.vault(() => {});
  await expect(erase(open, vault, request, run)).rejects.toMatchObject({ code: 'erase-newest' });
  rmSync(join(system.source(), 'people'), { recursive: true });
  await system.backUp();
  const { points } = await erase(open, vault, request, run);
  expect(points.map(({ record }) => record.id).sort()).toEqual(held.sort());
  await pruneToTheEnd(system);
  for (const id of held) expect(await idsOf(system)).not.toContain(id);
  for (const bytes of objectsIn(system.at()).values()) expect(bytes.includes('anna.txt')).toBe(false);
  expect((await system.verify()).sound).toBe(true);
});

test('of two destinations one is away: it is pruned when it is back, and nothing comes back from it', async () => {
  const system = withRetention(await aSystem({ destinations: ['disk', 'usb'] }), keepLast(1));
  const records = await history(system, 3);
  renameSync(system.at('usb'), `${system.at('usb')}-away`);
  const away = await pruned(system);
  expect(away.outOfReach).toEqual(['usb']);
  await system.tryBackUp();
  age(system, 4 * dayMs);
  await pruned(system);
  const gone = records.slice(0, 2).map(({ manifest: [id] }) => `manifests/${id.slice(0, 2)}/${id}.age`);
  for (const key of gone) expect(objectsIn(system.at('disk')).has(key)).toBe(false);
  renameSync(`${system.at('usb')}-away`, system.at('usb'));
  await system.backUp();
  for (const key of gone) expect(objectsIn(system.at('disk')).has(key)).toBe(false);
  await pruneToTheEnd(system);
  for (const key of gone) expect(objectsIn(system.at('usb')).has(key)).toBe(false);
  const { sound, suspect, findings } = await system.verify();
  expect({ sound, suspect, findings }).toMatchObject({ sound: true, suspect: [] });
});

test('a record that somebody took away stops everything, until a person says that it is known', async () => {
  const system = withRetention(await aSystem(), keepLast(1));
  const [, second] = await history(system, 3);
  const [point] = (await system.points()).filter(({ record }) => record.id === second!.id);
  rmSync(join(system.at(), point!.key));
  await expect(pruned(system)).rejects.toMatchObject({ code: 'prune-suspect' });
  expect((await pruned(system, { allowMissing: true })).generation).toBe(1);
  expect((await pruned(system)).generation).toBe(2);
});

test('a record that cannot be read stops everything, until a person says that it is lost', async () => {
  const system = withRetention(await aSystem(), keepLast(1));
  const [first] = await history(system, 2);
  const [point] = (await system.points()).filter(({ record }) => record.id === first!.id);
  writeFileSync(join(system.at(), point!.key), '{}');
  await expect(pruned(system)).rejects.toMatchObject({ code: 'prune-suspect' });
  expect((await pruned(system, { allowMissing: true })).generation).toBe(1);
});
