import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { prune } from '../../src/operations/prune.ts';
import { sparsePacks } from '../../src/vault/prune/sparse.ts';
import { pictureOf } from '../support/pictures.ts';
import { aSystem, expectSame, noise } from '../support/vault.ts';

const limits = { share: 0.3, leastRawBytes: 1000, mostAnewBytes: 1_000_000 };

test('what lives in a pack that is mostly dead is stored anew, also of a file that did not change', async () => {
  const system = await aSystem({ packSizes: { data: 4 * 1024 * 1024, meta: 1024 * 1024 } });
  const file = (name: string) => join(system.source(), name);
  writeFileSync(file('small'), noise(100_000));
  for (const name of ['a', 'b', 'c']) writeFileSync(file(name), noise(1_000_000));
  await new Promise((resolve) => setTimeout(resolve, 80));
  const first = await system.backUp();
  for (const name of ['a', 'b', 'c']) writeFileSync(file(name), noise(1_000_000));
  const second = await system.backUp();
  const later = new Set([...second.needs.packs].map(([id]) => id));
  const shared = [...first.needs.packs].map(([id]) => id).filter((id) => later.has(id));
  const sparse = sparsePacks(system.config.stateDir, limits);
  expect([...sparse]).toEqual(shared);
  expect(sparse.size).toBe(1);

  using open = system.open();
  const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  expect((await prune(open, request, startRun({ clock: systemClock }))).sparse).toBe(1);
  const picture = pictureOf(system.source());
  const { record: third, needs } = await system.backUp();
  expect([...needs.packs].filter(([id]) => sparse.has(id))).toEqual([]);
  expect(third.sizes.added).toBeLessThan(200_000);
  expectSame(await system.readBack(third.id), picture);
});
