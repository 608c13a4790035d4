import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { S3Destination, System } from '../../src/config/system.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import type { Expandable } from '../../src/core/references.ts';
import { startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { objectLocked } from '../../src/destinations/errors.ts';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { keep } from '../../src/operations/keep.ts';
import { prune } from '../../src/operations/prune.ts';
import type { SystemStatus } from '../../src/operations/status/status.ts';
import { takeStatus } from '../../src/operations/status/take-status.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { listKey, packKey } from '../../src/vault/format/keys.ts';
import { recordKey } from '../../src/vault/format/record.ts';
import { newSigningKey } from '../../src/vault/format/signing.ts';
import type { WithNeeds } from '../../src/vault/hold/needs.ts';
import { newestPoint } from '../../src/vault/newest.ts';
import { openVault } from '../../src/vault/open.ts';
import type { RestorePoint } from '../../src/vault/vault.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { makeBucket, type TestBucket } from '../support/rgw.ts';
import { configOf, smallPacks, systemOver, type TestSystem } from '../support/system.ts';
import { makeTemporaryFolder } from '../support/temp.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, noise } from '../support/vault.ts';
import { deleteAll, flood, overwriteBucket, removeVersions, shortenBucket } from './attacks.ts';
import { forgedRecord, plant, plantEntry, plantGeneration, stolenKey } from './forgeries.ts';

const literal = (text: string): Expandable => ({ shown: text, expand: async () => text });

/**
 * The worst that a takeover of production can be: the host, its state with the writer's key, its configuration, and
 * credentials that own the bucket. What is left to the defenders: the locks, the keeper's work before the attack, and a clean
 * machine with the identity, which knows the host's public key.
 */
interface Rehearsal extends AsyncDisposable {
  readonly bucket: TestBucket;
  readonly host: TestSystem;
  readonly pictures: ReadonlyMap<string, Picture>;
  /** As the attacker sees it. */
  readonly stolen: Destination;
  readonly attackedMs: number;
  /** The true restore points, as they were before. */
  readonly points: ReadonlyArray<WithNeeds<RestorePoint>>;
  /** A machine that has never seen the vault. */
  clean(): Promise<TestSystem>;
}

function configured(config: System, { bucket, endpoint, keys }: TestBucket): System {
  const credentials = { accessKeyId: literal(keys.accessKeyId), secretAccessKey: literal(keys.secretAccessKey) };
  const of = { required: true, where: {}, price: {}, roles: {}, region: 'us-east-1' };
  const ceph: S3Destination = { type: 's3', bucket, endpoint, credentials, ...of };
  return { ...config, destinations: { ceph } };
}

async function rehearse(): Promise<Rehearsal> {
  await using all = new AsyncDisposableStack();
  const bucket = all.use(await makeBucket({ lock: { mode: 'COMPLIANCE', days: 2 } }));
  const folder = all.use(await makeTemporaryFolder());
  const { identity, recipient } = generateIdentity();
  const plain = configOf(folder.path, [], ['uploads'], recipient);
  const base = { folder: folder.path, config: plain, identity, packSizes: smallPacks };
  const host = systemOver({ ...base, config: configured(plain, bucket) });
  mkdirSync(host.source(), { recursive: true });
  const pictures = new Map<string, Picture>();
  smallTree(host.source());
  for (const round of [1, 2, 3]) {
    writeFileSync(join(host.source(), `round ${round}`), noise(90_000));
    const { record } = await host.backUp();
    pictures.set(record.id, pictureOf(host.source()));
  }
  const stolen = await openS3({ name: 'ceph', ...bucket.options });
  const vault = await openVault([stolen]);
  const points = await vault.withNeeds((await vault.pointsOfAll()).points);
  const attackedMs = systemClock.now();
  const held = all.move();
  let machines = 0;
  return {
    bucket,
    host,
    pictures,
    stolen,
    attackedMs,
    points,
    async clean() {
      const { writer } = points[0]!.record;
      const vault = { ...host.config.vault, writers: [{ key: writer, systems: [host.config.name] }] };
      const machine = join(folder.path, `clean ${++machines}`);
      const config = { ...host.config, vault, stateDir: join(machine, 'state') };
      return systemOver({ ...base, folder: machine, config });
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

describe('ransomware: everything on the production host and the bucket’s own credentials belong to the attacker', () => {
  let on: Rehearsal;
  beforeAll(async () => {
    on = await rehearse();
  });
  afterAll(() => on[Symbol.asyncDispose]());

  test('before: the keeper has looked after the locks', async () => {
    using open = (await on.clean()).open();
    const { locks } = await keep(open, { dryRun: false }, startRun({ clock: systemClock }));
    expect(locks).toMatchObject([{ destination: 'ceph', missing: 0, unlocked: 0, failed: undefined }]);
    expect(locks[0]!.untilMs).toBeGreaterThan(systemClock.now() + dayMs);
    expect(locks[0]!.requests).not.toEqual({});
  });

  test('the attack: nothing is removed for good and no lock becomes shorter; all else succeeds', async () => {
    const { stolen, points, host } = on;
    // What was tried out is locked for a moment only, and is nothing that anybody needs.
    const gone = await removeVersions(stolen);
    expect(gone.filter((key) => !key.startsWith('probe/'))).toEqual([]);
    expect(await shortenBucket(on.bucket, stolen, systemClock.now() + 60_000)).toEqual([]);

    const key = stolenKey(host.config.stateDir);
    const records = points.map(({ record }) => record).filter(({ dataset }) => dataset === 'uploads');
    const last = records.at(-1)!;
    const nowMs = systemClock.now();
    for (const days of [4000, -40, -3, 2]) {
      for (const after of [null, records[0]!, last]) {
        await plant(
          stolen,
          forgedRecord(records[0]!, key, { timeMs: nowMs + days * dayMs, after, untilMs: nowMs * 2 }),
        );
      }
    }
    await plant(stolen, forgedRecord(records[0]!, key, { timeMs: nowMs, after: records[0]!, replay: true }));
    await plant(stolen, forgedRecord(last, newSigningKey().privateKey, { timeMs: nowMs }));
    for (const number of [1, 2]) await plantGeneration(stolen, points, number, key);
    await plantGeneration(stolen, points, 3, newSigningKey().privateKey);
    const ids = records.map(({ id }) => id);
    await plantEntry(stolen, last.vault, 'erase', { points: ids }, key, nowMs + 1);
    await plantEntry(
      stolen,
      last.vault,
      'drill',
      { drill: {}, scope: {}, outcome: {} },
      newSigningKey().privateKey,
      nowMs,
    );
    expect(await flood(stolen, 30)).toBe(30);
    expect(await overwriteBucket(on.bucket, stolen)).toBeGreaterThan(40);
    expect(await deleteAll(stolen)).toBeGreaterThan(40);
    expect(await removeVersions(stolen)).toEqual([]);
    rmSync(host.config.stateDir, { recursive: true });
  });

  test('afterwards: every restore point from before restores exactly, on a machine that never saw the vault', async () => {
    const clean = await on.clean();
    let at = 0;
    for (const [id, picture] of on.pictures) {
      const into = await clean.restore({ id });
      expectSame(pictureOf(into), picture);
      at++;
    }
    expect(at).toBe(3);
  });

  test('no forged restore point is taken for the newest, nor for that of a moment in the past', async () => {
    const clean = await on.clean();
    const points = await clean.points();
    expect(points.length).toBeGreaterThan(10);
    const dataset = 'uploads';
    const truth = on.points.filter(({ record }) => record.dataset === dataset);
    for (const point of truth) {
      const then = Date.parse(point.record.time) + 1;
      expect(newestPoint(points, dataset, then).record.id).toBe(point.record.id);
    }
    expect(newestPoint(points, dataset, on.attackedMs).record.id).toBe(truth.at(-1)!.record.id);
    const into = await clean.restore();
    expectSame(pictureOf(into), [...on.pictures.values()].at(-1)!);
  });

  test('status tells what happened', async () => {
    using open = (await on.clean()).open();
    const status: SystemStatus = await takeStatus(open, undefined);
    expect(status.ok).toBe(false);
    expect(status.troubles.map(({ code }) => code)).toEqual(
      expect.arrayContaining([
        'object-hidden',
        'restore-points-writer-unknown',
        'restore-points-chain-forked',
        'restore-points-time-ahead',
      ]),
    );
    expect(status.answer.withoutRestorePoint).toEqual([]);
  });

  test('the pruner comes after it, and removes nothing true', async () => {
    using open = (await on.clean()).open();
    const request = { dryRun: false, allowLarge: false, allowFlood: false, allowMissing: false, retire: [] };
    const pruned = await prune(open, request, startRun({ clock: systemClock })).catch((error: unknown) => error);
    // Strangers' records and pins stop nothing any more, and take nothing with them.
    expect(pruned).not.toBeInstanceOf(Error);
    const clean = await on.clean();
    for (const [id, picture] of on.pictures) expectSame(await clean.readBack(id), picture);
  });

  test('verify names it, and makes the vault plain again', async () => {
    const clean = await on.clean();
    const first = await clean.verify();
    const kinds = new Set(first.findings.map(({ kind }) => kind));
    expect([...kinds]).toEqual(expect.arrayContaining(['hidden']));
    expect(first.doubtful.length).toBeGreaterThan(5);
    const again = await clean.verify();
    const needed = new Set(on.points.flatMap(({ needs }) => [...needs.packs, ...needs.lists].map(([id]) => id)));
    const spoiled = again.findings.filter(
      ({ key, healed }) => !healed && [...needed].some((pack) => key.includes(pack)),
    );
    expect(spoiled).toEqual([]);
  });
});

test('the attacker waits until the locks have ended: the keeper was there before', async () => {
  await using bucket = await makeBucket({ lock: true });
  const bare = await aSystem();
  const config = configured(bare.config, bucket);
  const { ceph } = config.destinations as { ceph: S3Destination };
  const bornMs = 8000;
  const locked = { ...ceph, lock: { mode: 'compliance', forMs: bornMs } } as const;
  const host = systemOver({ ...bare, config: { ...config, destinations: { ceph: locked } } });
  mkdirSync(bare.source(), { recursive: true });
  writeFileSync(join(bare.source(), 'file'), noise(90_000));
  const { record, needs } = await host.backUp();
  const picture = pictureOf(bare.source());
  // Another machine, with the keeper's key.
  const state = join(bare.folder, 'keeper');
  cpSync(host.config.stateDir, state, { recursive: true });
  rmSync(join(state, 'locks.sqlite'), { force: true });
  const keeper = systemOver({ ...bare, config: { ...host.config, stateDir: state } });
  using open = keeper.open();
  const stolen = await openS3({ name: 'ceph', ...bucket.options });
  // The record was stored last: when it is kept, so is everything before it.
  const needed = [recordKey(record), ...record.lists.map(([id]) => listKey(id))];
  for (const [pack] of needs.packs) needed.push(packKey(pack));
  const soonest = async () => {
    await keep(open, { dryRun: false }, startRun({ clock: systemClock }));
    const history = stolen.history!;
    const ends = needed.map(async (key) => history.lockOf(key, (await history.versionsOf(key))[0]!.version));
    return Math.min(...(await Promise.all(ends)).map((lock) => lock?.untilMs ?? 0));
  };
  // A lock with half of its time left is let be; afterwards it is good until the week ends.
  await expect.poll(soonest, { timeout: 60_000, interval: 1000 }).toBeGreaterThan(systemClock.now() + 2 * 60_000);

  const decoy = 'packs/00/0000000000000000000000000000000000000000000000000000000000000000.age';
  const lockedS3 = await openS3({ name: 'ceph', ...bucket.options, lock: { mode: 'compliance', forMs: bornMs } });
  const { version } = await lockedS3.put(decoy, noise(10));
  await expect(stolen.delete(decoy, version)).rejects.toMatchObject({ code: objectLocked.code });
  await expect
    .poll(
      () =>
        stolen.delete(decoy, version).then(
          () => 'gone',
          () => 'locked',
        ),
      { timeout: 60_000, interval: 500 },
    )
    .toBe('gone');
  // What nobody kept is gone by now; what a restore point needs is not.
  const gone = await removeVersions(stolen);
  expect(gone.filter((key) => !/^(ledger|probe)\//.test(key))).toEqual([]);
  await deleteAll(stolen);
  expectSame(await keeper.readBack(record.id), picture);
});
