import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid } from '../../src/core/ulid.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { erase } from '../../src/operations/erase.ts';
import { prune } from '../../src/operations/prune.ts';
import type { PruneRequest } from '../../src/operations/prune-plan.ts';
import { announcementKey, generationKey } from '../../src/vault/format/keys.ts';
import { recordBytes, recordKey, signRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, publicKeyOf, writerId } from '../../src/vault/format/signing.ts';
import { stolenKey } from '../ransomware/forgeries.ts';
import { later } from '../support/later.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem } from '../support/vault.ts';

const run = () => startRun({ clock: systemClock });
/** What a person consents to changes nothing here. */
const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: true, retire: [] };

async function pruned(system: TestSystem, other: Partial<PruneRequest> = {}) {
  using open = system.open();
  return await prune(open, { ...request, ...other }, run());
}

async function erased(system: TestSystem, id: string) {
  using open = system.open();
  const vault = await open.vault(() => {});
  return await erase(open, vault, { dataset: 'uploads', paths: [], points: [id], reason: 'x', identities: [] }, run());
}

test('what a known writer stored for later programs stops whoever deletes, and a later format whoever writes; strangers stop nobody', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const [first, second] = [await system.backUp(), await system.backUp()];
  const { record } = second;
  const own = stolenKey(system.config.stateDir);
  const stranger = newSigningKey().privateKey;
  const id = newUlid(Date.now(), system.open().random);
  const put = (key: string, bytes: Uint8Array) => {
    const file = join(system.at(), key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
    return file;
  };
  const announced = (key: string, said: object) =>
    [
      announcementKey(writerId(publicKeyOf(key)), id),
      later('announcement', { format: 1, vault: record.vault, requires: [], ...said }, key),
    ] as const;
  const newerRecord = { ...record, id, format: 2, packs: 'in another way' };
  const newerPrune = { format: 2, vault: record.vault, generation: 1 };
  const newer = { code: 'prune-newer', message: expect.stringMatching(/needs (format 2|logs), which/) };

  for (const [key, bytes] of [
    announced(own, { requires: ['logs'] }),
    announced(own, { format: 2 }),
    [recordKey({ ...record, id }), later('record', newerRecord, own)],
    [recordKey({ ...record, id }), later('record', { ...record, id, requires: ['logs'] }, own)],
    [generationKey(1), later('generation', newerPrune, own)],
  ] as const) {
    const file = put(key, bytes);
    await expect(pruned(system), key).rejects.toMatchObject(newer);
    if (!key.startsWith('gc/')) await expect(erased(system, first.record.id), key).rejects.toMatchObject(newer);
    // What needs only to be known by who deletes is written beside.
    const writes = await system.tryBackUp().catch((error: unknown) => error);
    const stops = key.startsWith('gc/') || Buffer.from(bytes).includes('"format":2,"requires"');
    expect(writes, key).toMatchObject(stops ? { code: 'format-newer' } : { failed: [] });
    rmSync(file);
  }

  put(...announced(stranger, { format: 2 }));
  put(
    announcementKey(writerId(publicKeyOf(own)), id),
    later('announcement', { format: 2, vault: record.vault }, stranger),
  );
  put(recordKey({ ...record, id }), later('record', newerRecord, stranger));
  put(generationKey(7), later('generation', { ...newerPrune, generation: 7 }, stranger));
  put('future/x', Buffer.from('junk'));
  await system.backUp();
  expect(await pruned(system, { allowMissing: false })).toMatchObject({ generation: 1, suspect: [] });
  await erased(system, first.record.id);
});

test('what a known writer stored for later programs stops whoever deletes, whatever lies under its name elsewhere', async () => {
  const system = await aSystem({ destinations: ['disk', 'usb'] });
  smallTree(system.source());
  const [first, { record }] = [await system.backUp(), await system.backUp()];
  const own = stolenKey(system.config.stateDir);
  const id = newUlid(Date.now(), randomBytes);
  const { writer: _, signature: __, ...unsigned } = { ...record, id };
  const stranger = newSigningKey().privateKey;
  const put = (name: string, key: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(system.at(name), key)), { recursive: true });
    writeFileSync(join(system.at(name), key), bytes);
  };
  const key = recordKey({ ...record, id });
  const strangers = recordBytes(signRecord(unsigned, stranger));
  for (const beside of [strangers, Buffer.from('garbage'), later('record', { ...record, id, format: 3 }, stranger)]) {
    for (const [one, other] of [
      ['disk', 'usb'],
      ['usb', 'disk'],
    ] as const) {
      put(one, key, later('record', { ...record, id, format: 2 }, own));
      put(other, key, beside);
      await expect(pruned(system)).rejects.toMatchObject({ code: 'prune-newer' });
      await expect(erased(system, first.record.id)).rejects.toMatchObject({ code: 'prune-newer' });
    }
  }
});

test('of strangers’ announcements none is fetched, and under a known writer’s name a backup looks at so many; a prune at all', async () => {
  const system = await aSystem();
  smallTree(system.source());
  const { record } = await system.backUp();
  const own = stolenKey(system.config.stateDir);
  const folder = (key: string) => join(system.at(), 'format', writerId(publicKeyOf(key)));
  const stranger = newSigningKey().privateKey;
  for (const key of [own, stranger]) {
    mkdirSync(folder(key), { recursive: true });
    for (let n = 0; n < 1500; n++) writeFileSync(join(folder(key), `${newUlid(n, randomBytes)}.json`), 'x');
  }
  const fetched: string[] = [];
  const wrap = (one: Destination): Destination => ({
    ...one,
    get: (...all) => {
      fetched.push(all[0]);
      return one.get(...all);
    },
  });
  const told: string[] = [];
  await system.tryBackUp({
    wrap,
    onEvent: (event) => void (event.type === 'problem' && told.push(event.problem.code)),
  });
  expect(told).toContain('announcements-many');
  const read = fetched.filter((key) => key.startsWith('format/'));
  expect(read.filter((key) => key.startsWith(`format/${writerId(publicKeyOf(stranger))}/`))).toEqual([]);
  expect(read.length).toBe(1000);
  // After all of the others.
  const name = `${newUlid(Date.now(), randomBytes)}.json`;
  const said = { format: 1, vault: record.vault, requires: ['logs'] };
  writeFileSync(join(folder(own), name), later('announcement', said, own));
  await expect(pruned(system)).rejects.toMatchObject({ code: 'prune-newer' });
});
