import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { noteInLedger } from '../../src/operations/note-in-ledger.ts';
import { prune } from '../../src/operations/prune.ts';
import { decodeGeneration } from '../../src/vault/format/generation.ts';
import { generationKey } from '../../src/vault/format/keys.ts';
import { sparsePacks, usualSparseLimits } from '../../src/vault/prune/sparse.ts';
import { pictureOf } from '../support/pictures.ts';
import { rounds } from '../support/rounds.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

const limits = { ...usualSparseLimits, share: 0.3, leastRawBytes: 1000, mostAnewBytes: 1_000_000 };

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

test('what the ledger calls wrong, by who may say so, is named in the next generation: a writer that sees no ledger heeds it too', async () => {
  const system = await aSystem();
  writeFileSync(join(system.source(), 'file'), noise(1000));
  const { needs, record } = await system.backUp();
  const [[pack]] = [...needs.packs] as [[string, number]];
  using open = system.open();
  const run = () => startRun({ clock: systemClock });
  const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  const note = (of: string, packs: readonly string[]) =>
    noteInLedger(open, record.vault, { kind: 'wrong-packs', body: { system: of, packs } }, run());
  await note('another', [pack]);
  expect((await prune(open, request, run())).sparse).toBe(0);
  await note('harbor', [pack, 'a'.repeat(64)]);
  const { sparse, generation } = await prune(open, request, run());
  expect(sparse).toBe(1);
  const bytes = objectsIn(system.at()).get(generationKey(generation!))!;
  expect(decodeGeneration(bytes).sparse).toEqual([pack]);
});

test('4.4: however many small backups there are, a restore point is in a bounded number of packs, and comes back exactly', async () => {
  const system = await aSystem({ packSizes: { data: 4 * 1024 * 1024, meta: 1024 * 1024 } });
  const backups = rounds({ short: 60, long: 400 });
  const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  let most = 0;
  let anewBytes = 0;
  for (let number = 1; number <= backups; number++) {
    writeFileSync(join(system.source(), `file ${number}`), noise(2000));
    const { sizes, needs } = await system.backUp();
    anewBytes += sizes.added - 2000;
    most = Math.max(most, [...needs.packs].length);
    if (number % 10 > 0) continue;
    using open = system.open();
    await prune(open, request, startRun({ clock: systemClock }));
  }
  // Of data and of lists of entries: 16 of a size, the large ones that they became, and what came since the last prune.
  expect(most).toBeLessThan(2 * (16 + 10 + 1) + 4);
  expect(anewBytes).toBeLessThan(2000 * backups * 8);
  const { record } = await system.backUp();
  expectSame(await system.readBack(record.id), pictureOf(system.source()));
  expect(sparsePacks(system.config.stateDir).size).toBe(0);
});

test('4.4: small packs are counted by dataset: what each stores anew lies in packs of its own again, and it would never end', async () => {
  const system = await aSystem({ datasets: ['one', 'two'] });
  for (let number = 0; number < 5; number++) {
    for (const dataset of ['one', 'two']) writeFileSync(join(system.source(dataset), `file ${number}`), noise(2000));
    await system.backUp();
  }
  const named = (mostSmall: number) => sparsePacks(system.config.stateDir, { ...usualSparseLimits, mostSmall }).size;
  // Five of each dataset are of one size; its short list of entries is in one.
  expect([named(5), named(4)]).toEqual([0, 10]);
});
