import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { configurationDataset } from '../../src/core/configuration-dataset.ts';
import { minuteMs } from '../../src/core/duration.ts';
import { type RunEvent, startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { copyVault } from '../../src/operations/copy/copy.ts';
import { prune } from '../../src/operations/prune.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { packKey } from '../../src/vault/format/keys.ts';
import { recordHash, recordKey, type SnapshotRecord } from '../../src/vault/format/record.ts';
import { newSigningKey, type SigningKey } from '../../src/vault/format/signing.ts';
import { newestOrNone } from '../../src/vault/newest.ts';
import { forgedRecord, plant, plantEntry, plantGeneration } from '../ransomware/forgeries.ts';
import { listedAt } from '../support/lists.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { evidenceOf } from '../support/plant-vault.ts';
import { aSystem, expectSame, noise, objectsIn } from '../support/vault.ts';

const run = (onEvent?: (event: RunEvent) => void) => startRun({ clock: systemClock, ...(onEvent && { onEvent }) });

/** Three restore points at two places; who writes, who prunes, and who writes for another system is named. */
async function harbor() {
  const host = await aSystem({ destinations: ['disk', 'nas'] });
  for (const dataset of Object.values(host.config.datasets)) {
    Object.assign(dataset, { retention: { ...dataset.retention, last: 100 } });
  }
  const pictures = new Map<string, Picture>();
  const records: SnapshotRecord[] = [];
  const backUp = async () => {
    writeFileSync(join(host.source(), `round ${records.length}`), noise(60_000));
    const { record } = await host.backUp();
    pictures.set(record.id, pictureOf(host.source()));
    records.push(record);
  };
  for (let round = 0; round < 3; round++) await backUp();
  const [pruner, neighbour] = [newSigningKey(), newSigningKey()];
  const known = ({ publicKey: key }: { readonly publicKey: string }, system = host.config.name) => ({
    ...{ key, systems: [system] },
  });
  Object.assign(host.config.vault, {
    writers: [known({ publicKey: records[0]!.writer }), known(neighbour, 'blog')],
    pruners: [known(pruner)],
  });
  return { host, pictures, records, pruner, neighbour, backUp };
}

type Harbor = Awaited<ReturnType<typeof harbor>>;

/** Everything that whoever has `key` and can add objects may say, at both places: newer, older, and what shall go. */
async function plantAll(
  { host, records }: Harbor,
  { privateKey }: SigningKey,
  what: { mayPrune: boolean },
): Promise<void> {
  using open = host.open();
  const { opened } = await open.destinations({ create: false });
  const last = records.at(-1)!;
  const nowMs = systemClock.now();
  const { vault } = last;
  const evidence = evidenceOf('harbor', { verdict: 'proved', datasets: ['uploads'], rtoMs: 1, atMs: nowMs });
  const planted: Array<(place: Destination) => Promise<unknown>> = [
    ...[false, true].map((replay) => {
      const record = forgedRecord(last, privateKey, { timeMs: nowMs, after: last, replay });
      return (place: Destination) => plant(place, record);
    }),
    ...[configurationDataset, 'uploads'].map((dataset) => {
      const record = forgedRecord({ ...last, dataset }, privateKey, {
        timeMs: Date.parse(last.time) - 1,
        replay: true,
      });
      return (place: Destination) => plant(place, record);
    }),
    (place) => plantEntry(place, vault, 'drill', { ...evidence }, privateKey, nowMs),
    (place) =>
      plantEntry(place, vault, 'pin', { action: 'pin', point: records[0]!.id, reason: 'x' }, privateKey, nowMs),
  ];
  if (!what.mayPrune) {
    const points = (await host.points()).filter(
      ({ record }) => records.includes(record) || record.writer === last.writer,
    );
    const removed = records.map(recordHash);
    const ids = records.map(({ id }) => id);
    planted.push(
      (place) => plantGeneration(place, points, 1, privateKey),
      (place) => plantGeneration(place, points, 900, privateKey),
      (place) => plantEntry(place, vault, 'erase', { points: ids }, privateKey, nowMs + 1),
      (place) => plantEntry(place, vault, 'prune', { removed, retired: [] }, privateKey, nowMs + 2),
    );
  }
  for (const place of opened) for (const add of planted) await add(place);
}

/** The newest comes back, what was passed over for it is named, no configuration is taken from another, and nothing is proved. */
async function expectNobodyBelieved({ host, pictures, records }: Harbor): Promise<void> {
  const said: string[] = [];
  const onEvent = (event: RunEvent) => void (event.type === 'problem' && said.push(event.problem.code));
  expectSame(pictureOf(await host.restore({}, { onEvent })), pictures.get(records.at(-1)!.id)!);
  expect(said).toContain('newer-passed-over');
  for (const [id, picture] of pictures) expectSame(await host.readBack(id), picture);
  using open = host.open();
  const { points } = await (await open.vault(() => {})).pointsOfAll();
  expect(newestOrNone(points, configurationDataset)).toBeUndefined();
  const status = await takeStatus(open, undefined);
  expect(status.proof).toBeNull();
  expect(status.troubles.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['never-proved', 'evidence-strange', 'restore-points-writer-unknown']),
  );
}

/** Each comes to its end, and to the right one. */
async function expectAllGoesOn(on: Harbor): Promise<void> {
  const { host, backUp } = on;
  using open = host.open();
  const { filled } = await copyVault(open, { refill: false }, run());
  expect(filled.map(({ behind, refused }) => [behind, refused])).toEqual([
    [undefined, []],
    [undefined, []],
  ]);
  await backUp();
  const request = { dryRun: false, allowLarge: false, allowFlood: false, allowMissing: false, retire: [] };
  const { withdrawn } = await prune(open, request, run());
  expect(withdrawn).toEqual([]);
}

/** One pack of the newest restore point, at every place. @returns its key */
function losePack({ host, records }: Harbor): string {
  const key = packKey(listedAt(host.at('disk'), records.at(-1)!).at(-1)![0]);
  for (const place of ['disk', 'nas']) rmSync(join(host.at(place), key));
  return key;
}

test('H2: among strangers’ objects verify is sound and names them, and finds what is really gone; all else goes on', async () => {
  const on = await harbor();
  const stranger = newSigningKey();
  const before = objectsIn(on.host.at());
  await plantAll(on, stranger, { mayPrune: false });
  const sound = await on.host.verify();
  expect(sound.findings).toEqual([]);
  expect(sound).toMatchObject({ sound: true, leaving: 0, suspect: [] });
  expect(sound.doubtful.map(({ key }) => key.split('/')[0])).toEqual(
    expect.arrayContaining(['snapshots', 'gc', 'ledger']),
  );
  const after = objectsIn(on.host.at());
  expect(before.size).toBeGreaterThan(0);
  for (const [key, bytes] of before) expect(after.get(key)?.equals(bytes), key).toBe(true);
  await expectNobodyBelieved(on);
  await expectAllGoesOn(on);
  const lost = losePack(on);
  const found = await on.host.verify();
  expect(found.sound).toBe(false);
  expect(found.findings.map(({ key, kind }) => `${kind} ${key}`)).toContain(`missing ${lost}`);
});

test('H4: the writer of another system changes nothing old, brings nothing back, proves nothing and stops nothing of this one', async () => {
  const on = await harbor();
  await plantAll(on, on.neighbour, { mayPrune: false });
  await expectNobodyBelieved(on);
  const { findings, leaving } = await on.host.verify();
  expect(leaving).toBe(0);
  // That it began its own chain again and again is told, and takes nothing from any restore point.
  expect(findings.filter(({ key, restorePoints }) => !key.startsWith('ledger/') || restorePoints.length > 0)).toEqual(
    [],
  );
  await expectAllGoesOn(on);
  const lost = losePack(on);
  expect((await on.host.verify()).findings.map(({ key, kind }) => `${kind} ${key}`)).toContain(`missing ${lost}`);
});

test('H4: nor does it where a person listed its key beside the host’s own and did not say for which system', async () => {
  const on = await harbor();
  const { host, records, neighbour } = on;
  const blog = { ...records[0]!, system: 'blog', dataset: 'posts' };
  using open = host.open();
  const { opened } = await open.destinations({ create: false });
  const first = forgedRecord(blog, neighbour.privateKey, { timeMs: Date.parse(blog.time) });
  for (const place of opened) await plant(place, first);
  const keys = [records[0]!.writer, neighbour.publicKey];
  Object.assign(host.config.vault, {
    writers: keys.map((key) => ({ key, systems: [host.config.name], isBare: true })),
  });
  await plantAll(on, neighbour, { mayPrune: false });
  // Also where nothing is remembered of the vault, as on another machine of theirs.
  const { stateDir } = host.config;
  renameSync(stateDir, `${stateDir}.away`);
  await expectNobodyBelieved(on);
  rmSync(stateDir, { recursive: true, force: true });
  renameSync(`${stateDir}.away`, stateDir);
  await expectNobodyBelieved(on);
  await expectAllGoesOn(on);
});

test('H2, H10: who has the pruner’s key writes no restore point, no configuration and no proof', async () => {
  const on = await harbor();
  await plantAll(on, on.pruner, { mayPrune: true });
  await expectNobodyBelieved(on);
});

test('H2: what the pruner’s thief takes away is told where it was written, and the next backup makes up for it', async () => {
  const on = await harbor();
  const { host, records, pruner, backUp, pictures } = on;
  const last = records.at(-1)!;
  using open = host.open();
  const { opened } = await open.destinations({ create: false });
  const points = (await host.points()).filter(({ record }) => record.id === last.id);
  for (const place of opened) {
    await plantGeneration(place, points, 1, pruner.privateKey);
    const removed = { removed: [recordHash(last)], retired: [] };
    await plantEntry(place, last.vault, 'prune', removed, pruner.privateKey, systemClock.now() - minuteMs);
    for (const [pack] of listedAt(host.at(place.name), last))
      rmSync(join(host.at(place.name), packKey(pack)), { force: true });
    rmSync(join(host.at(place.name), recordKey(last)));
  }
  const { sound, findings } = await host.verify();
  expect(sound).toBe(false);
  expect(findings.map(({ key }) => key)).toContain(recordKey(last));
  await backUp();
  expectSame(pictureOf(await host.restore()), pictures.get(records.at(-1)!.id)!);
  expect((await takeStatus(host.open(), undefined)).answer.withoutRestorePoint).toEqual([]);
});
