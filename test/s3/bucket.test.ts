import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import type { S3Options } from '../../src/destinations/options.ts';
import { openS3 } from '../../src/destinations/s3/destination.ts';
import { bucket, type TestBucket } from '../support/rgw.ts';
import { temporaryFolder } from '../support/temp.ts';

const open = (made: TestBucket, more: Partial<S3Options> = {}) => openS3({ ...made.options, ...more, name: 's3' });
const packOf = (body: Uint8Array) => `packs/aa/${createHash('sha256').update(body).digest('hex')}.age`;
const sent = (destination: Destination) => destination.requests!();
const dayMs = 86_400_000;

test('a pack takes one request, a read one, and what a process finds out once stays small', async () => {
  const destination = await open(await bucket({ lock: { mode: 'GOVERNANCE', days: 1 } }));
  await destination.put('vault.json', Buffer.from('{}'));
  const before = sent(destination);
  expect(Object.values(before).reduce((a, b) => a + b)).toBeLessThanOrEqual(8);
  const bodies = Array.from({ length: 10 }, () => randomBytes(1000));
  for (const body of bodies) await destination.put(packOf(body), body);
  for (const body of bodies) await destination.get(packOf(body), { offset: 0, length: 500 });
  const after = sent(destination);
  const difference = Object.keys(after).map((name) => [name, after[name]! - (before[name] ?? 0)] as const);
  expect(Object.fromEntries(difference.filter(([, count]) => count > 0))).toEqual({ PutObject: 10, GetObject: 10 });
});

test('what the bucket can do is found, not assumed', async () => {
  const plain = await open(await bucket());
  expect(plain.history).toBeUndefined();
  expect(plain.capabilities).toMatchObject({ objectLock: 'none', versions: false, checksums: false });
  await plain.put('a', Buffer.from('x'));
  // Ceph 16 checks the signed hash and ignores If-None-Match.
  expect(plain.capabilities).toMatchObject({ conditionalCreate: false, checksums: true });
  const locked = await open(await bucket({ lock: { mode: 'COMPLIANCE', days: 1 } }));
  expect(locked.capabilities).toMatchObject({ objectLock: 'compliance', versions: true });
  const unlocked = await open(await bucket({ versions: true }), { lock: { mode: 'governance', forMs: dayMs } });
  expect(unlocked.capabilities).toMatchObject({ objectLock: 'none', versions: true });
});

test('objects are locked when they are stored, by the configuration or by the bucket; trials hardly', async () => {
  const made = await bucket({ lock: { mode: 'GOVERNANCE', days: 3 } });
  for (const [lock, days] of [
    [undefined, 3],
    [{ mode: 'compliance', forMs: 7 * dayMs } as const, 7],
  ] as const) {
    const destination = await open(made, { ...(lock && { lock }), prefix: `days-${days}` });
    const { version } = await destination.put('a', Buffer.from('x'));
    const found = await destination.history?.lockOf('a', version!);
    expect(found?.mode).toBe(lock?.mode ?? 'governance');
    expect(Math.abs(found!.untilMs - Date.now() - days * dayMs)).toBeLessThan(60_000);
    const trial = await destination.put('probe/a', Buffer.from('x'));
    expect((await destination.history?.lockOf('probe/a', trial.version!))?.untilMs).toBeLessThan(Date.now() + 60_000);
  }
});

test('a lock is asked for by the time of the store, whatever this host believes', async () => {
  const made = await bucket({ lock: true });
  const clock = { now: () => Date.now() - 400 * dayMs, elapsed: () => performance.now() };
  const lock = { mode: 'governance', forMs: dayMs } as const;
  const destination = await openS3({ ...made.options, name: 's3', lock, clock });
  const { version } = await destination.put('a', Buffer.from('x'));
  const { untilMs } = (await destination.history!.lockOf('a', version!))!;
  expect(Math.abs(untilMs - Date.now() - dayMs)).toBeLessThan(60_000);
});

test('a lock is extended by version, also under a newer one, and never shortened', async () => {
  const made = await bucket({ lock: true });
  const destination = await open(made);
  const { history } = destination;
  const { version } = await destination.put('a', Buffer.from('true'));
  expect(await history!.lockOf('a', version!)).toBeUndefined();
  await made.client.send(new PutObjectCommand({ Bucket: made.bucket, Key: 'a', Body: 'forged' }));
  const until = Math.ceil(Date.now() / 1000) * 1000 + dayMs;
  expect(await history!.extendLock('a', version!, until)).toEqual({ mode: 'governance', untilMs: until });
  expect(await history!.extendLock('a', version!, until - 5000)).toEqual({ mode: 'governance', untilMs: until });
  expect(await history!.lockOf('a', version!)).toEqual({ mode: 'governance', untilMs: until });
  const [newest, oldest, ...rest] = await history!.versionsOf('a');
  expect(rest).toEqual([]);
  expect([newest?.isLatest, oldest?.version]).toEqual([true, version]);
  expect(await history!.lockOf('a', newest!.version)).toBeUndefined();
  expect(Buffer.from(await history!.getVersion('a', version!)).toString()).toBe('true');
  await expect(destination.delete('a', version)).rejects.toMatchObject({ code: 'object-locked' });
  await destination.delete('a', newest!.version);
  expect(Buffer.from(await destination.get('a')).toString()).toBe('true');
});

test('versions and markers come newest first, those of one key together, whatever the clock', async () => {
  const made = await bucket({ versions: true });
  const destination = await open(made);
  for (let n = 0; n < 3; n++) {
    await destination.put('a/1', Buffer.from(`${n}`));
    await destination.delete('a/1');
  }
  await destination.put('a/10', Buffer.from('x'));
  const seen = await destination.history!.versionsOf('a/1');
  expect(seen.map((one) => one.isDeleteMarker)).toEqual([true, false, true, false, true, false]);
  expect(seen.map((one) => one.isLatest)).toEqual([true, false, false, false, false, false]);
  expect(Buffer.from(await destination.history!.getVersion('a/1', seen[5]!.version)).toString()).toBe('0');
  const marker = destination.history!.getVersion('a/1', seen[0]!.version);
  await expect(marker).rejects.toMatchObject({ code: 'object-missing' });
  const under: string[] = [];
  for await (const { key } of destination.history!.listVersions('a/')) under.push(key);
  expect(under).toEqual([...Array(6).fill('a/1'), 'a/10']);
  for (const { version } of seen) await destination.delete('a/1', version);
  expect(await destination.history!.versionsOf('a/1')).toEqual([]);
  await destination.delete('a/1');
  expect(await destination.history!.versionsOf('a/1')).toEqual([]);
});

test('of two hosts that create one key at once the first version wins, and the other is told', async () => {
  const made = await bucket({ versions: true });
  const hosts = await Promise.all([open(made), open(made), open(made)]);
  for (let round = 0; round < 8; round++) {
    const key = `gc/${round}.json`;
    const results = await Promise.allSettled(hosts.map((host, n) => host.put(key, Buffer.from(`${round} of ${n}`))));
    const won = results.flatMap((result, n) => (result.status === 'fulfilled' ? [n] : []));
    expect(won).toHaveLength(1);
    for (const one of results)
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'object-exists' });
    expect(Buffer.from(await hosts[0]!.get(key)).toString()).toBe(`${round} of ${won[0]}`);
  }
});

test('a writer that may only create needs nothing else', async () => {
  const made = await bucket({ lock: { mode: 'GOVERNANCE', days: 1 } });
  const { arn, keys } = await made.user();
  const reader = await made.user();
  const Resource = [`arn:aws:s3:::${made.bucket}/*`];
  const Principal = { AWS: [arn] };
  // Who stored an object owns it there: not allowing is not enough.
  const Action = ['s3:GetObject', 's3:GetObjectVersion', 's3:DeleteObject', 's3:DeleteObjectVersion'];
  await made.allow([
    { Effect: 'Allow', Principal, Action: ['s3:PutObject'], Resource },
    { Effect: 'Deny', Principal, Action, Resource },
    { Effect: 'Allow', Principal: { AWS: [reader.arn] }, Action: ['s3:GetObject'], Resource },
  ]);
  const destination = await open(made, { credentials: keys });
  const body = randomBytes(1000);
  const pack = packOf(body);
  expect(await destination.put(pack, body)).toMatchObject({ existed: false });
  expect(await destination.put('snapshots/db/1.json', Buffer.from('{}'))).toMatchObject({ existed: false });
  const denied = { code: 'destination-denied' };
  await expect(destination.get(pack)).rejects.toMatchObject(denied);
  await expect(destination.stat(pack)).rejects.toMatchObject(denied);
  await expect(destination.delete(pack)).rejects.toMatchObject(denied);
  expect(Buffer.compare(await (await open(made, { credentials: reader.keys })).get(pack), body)).toBe(0);
});

test('what is wrong is said in words that help', async () => {
  const made = await bucket({ mostBytes: 100_000 });
  const { keys, endpoint } = made;
  const wrong: [Partial<S3Options>, RegExp][] = [
    [{ bucket: 'no-such-bucket-of-ours' }, /there is no bucket no-such-bucket-of-ours/],
    [{ credentials: { ...keys, secretAccessKey: 'nonsense' } }, /secret access key is not the right one/],
    [{ credentials: { ...keys, accessKeyId: 'nobody' } }, /does not know the access key/],
    [{ endpoint: endpoint.replace(/\d+$/, '1') }, /nothing listens there/],
    [{ endpoint: 'http://no-such-host.invalid' }, /no address|looked up/],
    [{ endpoint: endpoint.replace('http:', 'https:') }, /connection failed|TLS/],
  ];
  for (const [more, words] of wrong) await expect(open(made, more)).rejects.toThrow(words);
  const destination = await open(made, { storageClass: 'NO_SUCH_CLASS' });
  await destination.put('vault.json', Buffer.from('{}'));
  await expect(destination.put('packs/aa/1', Buffer.from('x'))).rejects.toMatchObject({ code: 'destination-denied' });
  const asking = await open(made, { lock: { mode: 'governance', forMs: dayMs } });
  await expect(asking.put('a', Buffer.from('x'))).rejects.toThrow(/made without object lock/);
  await expect(fill(await open(made))).rejects.toMatchObject({ code: 'destination-full' });
});

async function fill(destination: Destination): Promise<void> {
  for (let n = 0; n < 20; n++) await destination.put(`packs/${n}`, randomBytes(60_000));
}

test('credentials come from a profile or the environment, and missing ones are said to be missing', async () => {
  const made = await bucket();
  const folder = await temporaryFolder();
  const { accessKeyId, secretAccessKey } = made.keys;
  const file = join(folder, 'credentials');
  writeFileSync(file, `[backup]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  const { credentials: _, ...without } = made.options;
  const profiled = await openS3({ ...without, name: 's3', credentials: { profile: 'backup' } });
  await profiled.put('a', Buffer.from('x'));
  const missing = openS3({ ...without, name: 's3' });
  await expect(missing).rejects.toThrow(/no credentials were found/);
  const { endpoint: __, region: ___, ...amazon } = made.options;
  await expect(openS3({ ...amazon, name: 's3' })).rejects.toThrow(/no region is known/);
  vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey);
  const found = await openS3({ ...without, name: 's3' });
  expect(Buffer.from(await found.get('a')).toString()).toBe('x');
});

test('objects of others in the bucket are not listed as ours', async () => {
  const made = await bucket({ versions: true });
  for (const Key of ['harbor/a', 'harbor/.hidden', 'harbor/b/', 'harbor/ü', 'harborage/x', 'other']) {
    await made.client.send(new PutObjectCommand({ Bucket: made.bucket, Key, Body: 'x' }));
  }
  const destination = await open(made, { prefix: 'harbor' });
  const keys: string[] = [];
  for await (const { key } of destination.list('')) keys.push(key);
  for await (const { key } of destination.history!.listVersions('')) keys.push(key);
  expect(keys).toEqual(['a', 'a']);
});
