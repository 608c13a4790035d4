import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { prune } from '../../src/operations/prune.ts';
import { createIds } from '../../src/vault/format/ids.ts';
import { listKey } from '../../src/vault/format/keys.ts';
import { packList } from '../../src/vault/format/pack-list.ts';
import { recordBytes, recordKey, signRecord } from '../../src/vault/format/record.ts';
import { packsOf } from '../../src/vault/hold/needs.ts';
import type { VaultReader } from '../../src/vault/vault.ts';
import { heal } from '../../src/vault/verify/heal.ts';
import { neededObjects } from '../../src/vault/verify/needed.ts';
import type { Finding } from '../../src/vault/verify/survey.ts';
import { pictureOf } from '../support/pictures.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame } from '../support/vault.ts';

const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
const run = () => startRun({ clock: systemClock });

test('a restore point that uses a pack which its record does not list is refused: nobody keeps that pack', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  const { signingKey } = JSON.parse(readFileSync(join(system.config.stateDir, 'writer.json'), 'utf8'));
  const { writer: _, signature: __, ...unsigned } = record;
  writeFileSync(join(system.at(), recordKey(record)), recordBytes(signRecord({ ...unsigned, lists: [] }, signingKey)));
  await expect(system.readBack(record.id)).rejects.toMatchObject({
    code: 'content-damaged',
    message: expect.stringContaining('which its record does not list'),
  });
  await expect(system.restore({ id: record.id })).rejects.toMatchObject({ code: 'content-damaged' });
});

test('a list that is lost at one place is healed from another; lost everywhere it holds up no restore and stops a prune', async () => {
  const system = await aSystem({ destinations: ['disk', 'nas'] });
  smallTree(system.source());
  const { record } = await system.backUp();
  const picture = pictureOf(system.source());
  const key = listKey(record.lists[0]![0]);
  rmSync(join(system.at('nas'), key));
  expect((await system.verify()).findings).toMatchObject([{ destination: 'nas', key, kind: 'missing', healed: true }]);

  const bytes = readFileSync(join(system.at('nas'), key));
  bytes[20]! ^= 1;
  for (const place of ['disk', 'nas']) {
    rmSync(join(system.at(place), key));
    writeFileSync(join(system.at(place), key), bytes);
  }
  expectSame(await system.readBack(record.id), picture);
  using open = system.open();
  await expect(prune(open, request, run())).rejects.toMatchObject({ code: 'prune-suspect' });

  // Its writer is told, and names the same packs by another list.
  const { findings } = await system.verify();
  const told = findings.map(({ destination, restorePoints, healed }) => [destination, restorePoints.length, healed]);
  expect(told.sort()).toEqual([
    ['disk', 1, false],
    ['nas', 1, false],
  ]);
  const next = await system.backUp();
  expect(next.record.lists.map(([id]) => listKey(id))).not.toContain(key);
  expectSame(await system.readBack(next.record.id), picture);
});

test('what a place lost is told in as many steps as it lost objects, and an end is heeded on the way', async () => {
  const ids = createIds();
  const names = Array.from({ length: 2000 }, (_, at) => at.toString(16).padStart(64, '0'));
  const numbers = Uint32Array.from(names, (name) => ids.add(name));
  const part = packList(
    ids,
    numbers,
    numbers.map(() => 1),
  );
  const needs = { manifest: ['f'.repeat(64), 1], lists: [], packs: packsOf(ids, [part]), keys: [] } as const;
  const points = [{ key: 'one', needs }] as unknown as Parameters<typeof neededObjects>[0];
  let looked = 0;
  const findings = names.map((name) => ({
    ...({ destination: 'disk', kind: 'missing', why: '' } as const),
    get key() {
      looked++;
      return `packs/${name.slice(0, 2)}/${name}.age`;
    },
  }));
  const vault = { destinations: [{ name: 'disk' }] } as unknown as VaultReader;
  const controller = new AbortController();
  const options = { needed: neededObjects(points, ids), grants: new Set<string>(), rescue: Buffer.alloc(0) };
  const healed = await heal(vault, new Map(), findings as readonly Finding[], points, { ...options, run: run() });
  expect(healed.every(({ restorePoints }) => restorePoints.length === 1)).toBe(true);
  expect(looked).toBeLessThan(10 * names.length);
  controller.abort();
  const ended = startRun({ clock: systemClock, signal: controller.signal });
  await expect(heal(vault, new Map(), findings, points, { ...options, run: ended })).rejects.toThrow();
});
