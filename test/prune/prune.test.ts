import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import { startRun } from '../../src/core/run.ts';
import { type PruneRequest, prune } from '../../src/operations/prune.ts';
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
    dropped.push((await system.backUp()).record);
  }
  const packs = () => [...objectsIn(system.at()).keys()].filter((key) => key.startsWith('packs/')).length;
  const before = packs();
  const marked = await pruned(system);
  expect(marked.withdrawn.map(({ record }) => record.id)).toEqual(dropped.slice(0, 2).map(({ id }) => id));
  expect(marked.places[0]?.swept?.objects).toBe(0);
  expect(packs()).toBe(before);

  writeFileSync(join(system.source(), 'data'), noise(400_000));
  const picture = pictureOf(system.source());
  const { record } = await system.backUp();
  age(system, 4 * dayMs);
  const swept = await pruned(system);
  expect(swept.places[0]?.swept).toMatchObject({ records: 2 });
  for (const { packs } of dropped.slice(0, 2)) {
    const only = packs.filter(([id]) => !record.packs.some(([kept]) => kept === id));
    expect(only.length).toBeGreaterThan(0);
  }
  expect((await system.points()).map((point) => point.record.id)).toEqual([dropped[2]?.id, record.id]);
  expectSame(await system.readBack(record.id), picture);
  const { sound, suspect, findings } = await system.verify();
  expect({ sound, suspect, findings }).toMatchObject({ sound: true, suspect: [] });
});

function withRetention(system: TestSystem, retention: ReturnType<typeof keepLast>): TestSystem {
  for (const dataset of Object.values(system.config.datasets)) Object.assign(dataset, { retention });
  return system;
}
