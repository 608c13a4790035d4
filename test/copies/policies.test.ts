import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocks } from '../../src/catalog/locks.ts';
import type { S3Destination, System } from '../../src/config/system.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dayMs } from '../../src/core/duration.ts';
import type { Expandable } from '../../src/core/references.ts';
import { type Role, roles } from '../../src/core/roles.ts';
import { type RunEvent, startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { checkSystem } from '../../src/operations/check.ts';
import { copyVault } from '../../src/operations/copy/copy.ts';
import { keepAll } from '../../src/operations/keep-all.ts';
import { noteInLedger } from '../../src/operations/note-in-ledger.ts';
import type { IamPolicy } from '../../src/operations/policy/iam.ts';
import { policyFor } from '../../src/operations/policy/policy.ts';
import { prune } from '../../src/operations/prune.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { packKey } from '../../src/vault/format/keys.ts';
import { pictureOf } from '../support/pictures.ts';
import { type BucketOptions, type CephUser, clientOf, makeBucket, type TestBucket } from '../support/rgw.ts';
import { configOf, smallPacks, systemOver, type TestSystem } from '../support/system.ts';
import { makeTemporaryFolder } from '../support/temp.ts';
import { smallTree } from '../support/trees.ts';
import { expectSame, noise } from '../support/vault.ts';

const run = () => startRun({ clock: systemClock });
const prefix = 'companies/harbor';
const literal = (text: string): Expandable => ({ shown: text, expand: async () => text });

interface Parted extends AsyncDisposable {
  readonly bucket: TestBucket;
  readonly users: Readonly<Record<Role, CephUser>>;
  readonly system: TestSystem;
  /** The same system on a machine that has only this role's key. */
  as(role: Role): TestSystem;
}

/** A system whose one destination is a Ceph bucket with exactly the printed policies, one user for each role. */
async function parted(options: BucketOptions, versions: boolean): Promise<Parted> {
  const bucket = await makeBucket(options);
  const users = Object.fromEntries(
    await Promise.all(roles.map(async (role) => [role, await bucket.user()] as const)),
  ) as Record<Role, CephUser>;
  const { identity, recipient } = generateIdentity();
  const folder = await makeTemporaryFolder();
  const config = configOf(folder.path, ['ceph'], ['uploads'], recipient);
  mkdirSync(join(folder.path, 'source/uploads'), { recursive: true });
  const base = { folder: folder.path, config, identity, packSizes: smallPacks };
  const destination = (role: Role): S3Destination => {
    const { accessKeyId, secretAccessKey } = users[role].keys;
    const credentials = { accessKeyId: literal(accessKeyId), secretAccessKey: literal(secretAccessKey) };
    const of = { required: true, where: {}, price: {}, roles: {}, region: 'us-east-1' };
    return { type: 's3', bucket: bucket.bucket, endpoint: bucket.endpoint, prefix, credentials, ...of };
  };
  const systemOf = (role: Role): TestSystem => {
    const config: System = { ...base.config, destinations: { ceph: destination(role) } };
    return systemOver({ ...base, config });
  };
  const systems = Object.fromEntries(roles.map((role) => [role, systemOf(role)])) as Record<Role, TestSystem>;
  const as = (role: Role) => systems[role];
  const system = as('writer');
  const statements = roles.flatMap((role) => {
    const request = { destination: 'ceph', role, principal: users[role].arn, versions } as const;
    const { form, policy } = policyFor(system.config, request);
    expect(form).toBe('bucket');
    return (policy as IamPolicy).Statement.map((one) => ({ ...one, Sid: `${role}${one.Sid}` }));
  });
  await bucket.allow(statements);
  const all = new AsyncDisposableStack();
  all.use(folder);
  all.use(bucket);
  return { bucket, users, system, as, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function opened(system: TestSystem): Promise<Destination> {
  using open = system.open();
  const { opened } = await open.destinations({ create: false });
  return opened[0]!;
}

const denied = { code: 'destination-denied' };

describe('with exactly the printed policies on a Ceph bucket that locks, each role', () => {
  let made: Parted;
  let pack: string;
  beforeAll(async () => {
    made = await parted({ lock: { mode: 'COMPLIANCE', days: 1 } }, true);
    smallTree(made.system.source());
    const { needs } = await made.system.backUp();
    pack = packKey([...needs.packs][0]![0]);
  });
  afterAll(() => made[Symbol.asyncDispose]());

  test('the writer backs up again and again, also when its index is gone, and notes what it did', async () => {
    const { system } = made;
    writeFileSync(join(system.source(), 'new'), noise(200_000));
    const second = await system.tryBackUp();
    expect(second).toMatchObject({ failed: [], behind: [], backedUp: [{ heldBy: ['ceph'] }] });
    rmSync(join(system.config.stateDir, 'index.sqlite'));
    const third = await system.backUp();
    // It read its own deltas: nothing is sent again.
    expect(third.record.sizes.added).toBe(0);
    using open = system.open();
    await noteInLedger(open, third.record.vault, { kind: 'backup', body: { n: 1 } }, run());
    await noteInLedger(open, third.record.vault, { kind: 'backup', body: { n: 2 } }, run());
  });

  test('the writer reads no data and no list of files, deletes nothing, and locks nothing longer or shorter', async () => {
    const writer = await opened(made.as('writer'));
    await expect(writer.get(pack)).rejects.toMatchObject(denied);
    await expect(writer.get(pack, { offset: 0, length: 10 })).rejects.toMatchObject(denied);
    await expect(writer.stat(pack)).rejects.toMatchObject(denied);
    const [version] = await writer.history!.versionsOf(pack);
    await expect(writer.history!.getVersion(pack, version!.version)).rejects.toMatchObject(denied);
    await expect(writer.delete(pack)).rejects.toMatchObject(denied);
    await expect(writer.delete(pack, version!.version)).rejects.toMatchObject({ code: 'object-locked' });
    await expect(
      writer.history!.extendLock(pack, version!.version, systemClock.now() + 9 * dayMs),
    ).rejects.toMatchObject(denied);
    const keys: string[] = [];
    for await (const { key } of writer.list('manifests/')) keys.push(key);
    await expect(writer.get(keys[0]!)).rejects.toMatchObject(denied);
    for await (const { key } of writer.list('snapshots/'))
      await expect(writer.delete(key)).rejects.toMatchObject(denied);
    // Other prefixes of the bucket are none of its business.
    const client = clientOf(made.bucket.endpoint, made.users.writer.keys);
    const elsewhere = { Bucket: made.bucket.bucket, Key: 'companies/other/packs/x' };
    await expect(client.send(new PutObjectCommand({ ...elsewhere, Body: 'x' }))).rejects.toMatchObject({
      name: 'AccessDenied',
    });
    await expect(client.send(new GetObjectCommand(elsewhere))).rejects.toMatchObject({ name: 'AccessDenied' });
    client.destroy();
  });

  test('what the writer puts over an object is a version more: the first one stays, and is what is restored', async () => {
    const { bucket } = made;
    const before = await made.as('reader').points();
    const client = clientOf(bucket.endpoint, made.users.writer.keys);
    const Key = `${prefix}/${pack}`;
    // Ceph 16 evaluates no condition on If-None-Match, so a policy cannot refuse this.
    await client.send(new PutObjectCommand({ Bucket: bucket.bucket, Key, Body: 'spoilt by who took over the host' }));
    const shorter = new PutObjectRetentionCommand({
      Bucket: bucket.bucket,
      Key,
      Retention: { Mode: 'COMPLIANCE', RetainUntilDate: new Date(systemClock.now() + 1000) },
      BypassGovernanceRetention: true,
    });
    await expect(client.send(shorter)).rejects.toMatchObject({ name: 'AccessDenied' });
    client.destroy();
    const reader = await opened(made.as('reader'));
    expect((await reader.history!.versionsOf(pack)).length).toBe(2);
    const restored = await made.as('reader').restore({ id: before[0]!.record.id });
    expect([...pictureOf(restored).keys()]).toContain('twin.pdf');
  });

  test('the keeper makes locks longer, by version, and reads no data', async () => {
    const keeper = await opened(made.as('keeper'));
    expect((await made.as('keeper').points()).length).toBeGreaterThan(0);
    const first = (await keeper.history!.versionsOf(pack)).at(-1)!;
    const until = systemClock.now() + 5 * dayMs;
    const lock = await keeper.history!.extendLock(pack, first.version, until);
    expect(lock.untilMs).toBeGreaterThanOrEqual(until);
    expect(await keeper.history!.lockOf(pack, first.version)).toEqual(lock);
    await expect(keeper.history!.getVersion(pack, first.version)).rejects.toMatchObject(denied);
    await expect(keeper.delete(pack, first.version)).rejects.toMatchObject({ code: 'object-locked' });
    await expect(keeper.put('gc/1.json', Buffer.from('x'))).rejects.toMatchObject(denied);
    using open = made.as('keeper').open();
    using locks = openLocks(open.config.stateDir);
    const problems: string[] = [];
    const onEvent = (event: RunEvent) => event.type === 'problem' && problems.push(event.problem.code);
    const { locks: kept } = await keepAll(open, locks, false, startRun({ clock: systemClock, onEvent }));
    expect(kept).toMatchObject([{ destination: 'ceph', failed: undefined, missing: 0, unlocked: 0 }]);
    // What was put over an object before is told; nothing is refused.
    expect(problems.filter((code) => code.startsWith('destination-') || code.startsWith('ledger'))).toEqual([]);
  });

  test('check, as the writer, finds nothing that its policy keeps it from', async () => {
    using open = made.as('writer').open();
    const checked = await checkSystem(open, [], run());
    expect(checked.filter(({ area, result }) => area === 'destination' && result === 'bad')).toEqual([]);
  });

  test('the pruner sees that it is locked and deletes nothing of it; the reader restores, and leaves evidence', async () => {
    const pruner = await opened(made.as('pruner'));
    const first = (await pruner.history!.versionsOf(pack)).at(-1)!;
    await expect(pruner.delete(pack, first.version)).rejects.toMatchObject({ code: 'object-locked' });
    await expect(pruner.history!.getVersion(pack, first.version)).rejects.toMatchObject(denied);

    const reader = made.as('reader');
    const last = (await reader.points()).at(-1)!;
    expectSame(pictureOf(await reader.restore({ id: last.record.id })), pictureOf(reader.source()));
    using open = reader.open();
    await noteInLedger(open, last.record.vault, { kind: 'drill', body: { proved: 1 } }, run());
    const place = await opened(reader);
    await expect(place.put('snapshots/x', Buffer.from('x'))).rejects.toMatchObject(denied);
    await expect(place.delete(last.key)).rejects.toMatchObject(denied);
  });
});

describe('without a lock', () => {
  test('the pruner marks what retention drops and removes versions for good, with its own key alone', async () => {
    await using made = await parted({ versions: true }, true);
    const { system, as } = made;
    smallTree(system.source());
    const dropsAll = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    const datasets = system.config.datasets as Record<string, { retention: object }>;
    for (const one of Object.values(datasets)) one.retention = dropsAll;
    const first = await system.backUp();
    for (const name of ['a', 'b']) {
      writeFileSync(join(system.source(), name), noise(150_000));
      await system.backUp();
    }
    using open = as('pruner').open();
    const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
    const { marked } = await prune(open, request, run());
    expect(marked).toBeGreaterThan(0);
    const pruner = await opened(as('pruner'));
    const [version] = await pruner.history!.versionsOf(packKey([...first.needs.packs][0]![0]));
    const writer = await opened(as('writer'));
    await expect(writer.delete(version!.key, version!.version)).rejects.toMatchObject(denied);
    await expect(writer.delete(version!.key)).rejects.toMatchObject(denied);
    await pruner.delete(version!.key, version!.version);
    expect(await pruner.history!.versionsOf(version!.key)).toEqual([]);
    await expect(pruner.delete(version!.key.replace('packs', 'index'), version!.version)).rejects.toMatchObject(denied);
    // The writer goes on past the prune.
    await system.backUp();
  });

  test('copy reads with the reader’s key and stores with the writer’s', async () => {
    await using made = await parted({}, false);
    const { system, as } = made;
    smallTree(system.source());
    const { record } = await system.backUp();
    const disk = join(system.folder, 'disk');
    const local = { type: 'local', path: disk, required: true, where: {}, price: {} } as const;
    const [writer, reader] = [as('writer'), as('reader')].map(
      ({ config }) => config.destinations.ceph as S3Destination,
    );
    const destinations = { disk: local, ceph: { ...writer!, roles: { reader: reader!.credentials! } } };
    const both = systemOver({ ...system, config: { ...system.config, destinations } });
    using open = both.open();
    const { filled } = await copyVault(open, { refill: false }, run());
    expect(filled.map(({ behind }) => behind)).toEqual([undefined, undefined]);
    expect(existsSync(join(disk, 'vault.json'))).toBe(true);
    const copies = (await open.destinations({ create: false })).opened;
    const picture = pictureOf(system.source());
    expectSame(
      await both.readBack(
        record.id,
        copies.filter(({ name }) => name === 'disk'),
      ),
      picture,
    );
  });
});
