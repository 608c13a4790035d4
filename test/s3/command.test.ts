import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import type { CephKeys } from '../support/ceph.ts';
import { faultProxy } from '../support/fault-proxy.ts';
import { bucket, type TestBucket } from '../support/rgw.ts';

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

interface Words {
  readonly keys?: CephKeys;
  /** Added to the destination. */
  readonly more?: string;
  readonly prefix?: string;
  /** Without the copy on this host's disk. */
  readonly alone?: boolean;
}

/** A project with a copy on its own disk and one in the bucket. */
async function projectWith({ endpoint, bucket, keys: owner }: TestBucket, words: Words = {}): Promise<string> {
  const { keys = owner, more = '', alone = false, prefix = 'harbor' } = words;
  const folder = await project();
  const init = await lifeboat(folder, ['init']);
  expect(init.code, init.stderr).toBe(0);
  writeFileSync(join(folder, 's3-secret'), keys.secretAccessKey, { mode: 0o600 });
  const file = join(folder, 'lifeboat.yaml');
  const text = readFileSync(file, 'utf8');
  const replaced = text.replace(
    /^destinations:\n(?: .*\n)+/m,
    `destinations:
${alone ? '' : '  local: { type: local, path: ./backups }\n'}  ceph:
    type: s3
    endpoint: ${endpoint}
    bucket: ${bucket}
    prefix: ${prefix}
    credentials: { accessKeyId: ${keys.accessKeyId}, secretAccessKey: "\${file:s3-secret}" }
${more}`,
  );
  expect(replaced).not.toBe(text);
  writeFileSync(file, replaced);
  return folder;
}

interface Check {
  readonly good: boolean;
  readonly checks: ReadonlyArray<{ area: string; name: string; result: string; message: string; facts?: object }>;
}

async function check(folder: string): Promise<{ code: number; of: (area: string) => Check['checks'][number] }> {
  const { code, stdout, stderr } = await lifeboat(folder, ['check', '--json']);
  const { checks } = JSON.parse(stdout || '{"checks":[]}') as Check;
  const of = (area: string) => {
    const found = checks.find((one) => one.area === area && one.name === 'ceph');
    if (found === undefined) throw new Error(`no ${area} in ${stdout}${stderr}`);
    return found;
  };
  return { code, of };
}

async function well(folder: string, ...args: string[]): Promise<string> {
  const ran = await lifeboat(folder, args);
  expect(ran.code, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  return ran.stdout;
}

test('with a copy here and one in a bucket: everything comes back from the bucket alone', async () => {
  const made = await bucket({ lock: { mode: 'COMPLIANCE', days: 1 } });
  const folder = await projectWith(made);
  await well(folder, 'check');
  await well(folder, 'backup');
  writeFileSync(join(folder, 'data/uploads/b.txt'), 'second');
  expect(await well(folder, 'backup')).toMatch(/requests to ceph: .*PutObject \d+/);
  rmSync(join(folder, 'backups'), { recursive: true });
  rmSync(join(folder, 'state'), { recursive: true });
  expect(await well(folder, 'list')).toMatch(/uploads[\s\S]*ceph/);
  await well(folder, 'restore', 'uploads', '--into', 'back', ...daily);
  expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');
  expect(readFileSync(join(folder, 'back/b.txt'), 'utf8')).toBe('second');
  const verified = await lifeboat(folder, ['verify', '--all', ...daily]);
  // The copy that is gone is missed; nothing is wrong in the bucket, and what was tried out there is passed over.
  expect(verified.stdout).toMatch(/objects compared/);
  expect(verified.stdout).not.toContain('ceph: ');
  const { Versions = [] } = await made.client.send(new ListObjectVersionsCommand({ Bucket: made.bucket }));
  const keys = Versions.map(({ Key = '' }) => Key).filter((key) => !key.includes('/probe/'));
  expect(keys.length).toBeGreaterThan(8);
  expect(new Set(keys).size, 'no object has a second version').toBe(keys.length);
});

test('check says that nobody can delete what compliance locks, having tried', async () => {
  const made = await bucket({ lock: true });
  const folder = await projectWith(made, { more: '    lock: { mode: compliance, for: 30 days }\n' });
  const { code, of } = await check(folder);
  expect(of('protection')).toMatchObject({
    result: 'good',
    message: 'locked: nobody can delete or shorten for 30 days (compliance)',
    facts: { level: 'locked' },
  });
  expect(of('destination').facts).toEqual({
    refusesOverwriting: false,
    refusesWrongBytes: true,
    keepsVersions: true,
    removes: true,
    'lock.mode': 'compliance',
    'lock.forMs': 30 * 86_400_000,
    'lock.by': 'request',
    'lock.locksAtBirth': true,
    'lock.extends': true,
    'lock.refusesShorter': true,
    'lock.refusesRemoval': true,
    'lock.lifts': false,
  });
  expect(code).toBe(0);
  // Nothing is left but the one that is locked for a minute.
  const left = await made.client.send(new ListObjectVersionsCommand({ Bucket: made.bucket }));
  expect([left.Versions?.length, left.DeleteMarkers?.length]).toEqual([1, undefined]);
});

test('check tells a governance lock that these credentials can lift from one that they cannot', async () => {
  const made = await bucket({ lock: { mode: 'GOVERNANCE', days: 30 } });
  const owner = await check(await projectWith(made));
  expect(owner.of('protection')).toMatchObject({ result: 'warning', message: expect.stringContaining('can lift') });
  expect(owner.code).toBe(0);
  const writer = await made.user();
  const Resource = [`arn:aws:s3:::${made.bucket}/*`, `arn:aws:s3:::${made.bucket}`];
  const Principal = { AWS: [writer.arn] };
  const Action = ['s3:PutObject', 's3:GetObject', 's3:GetObjectVersion', 's3:ListBucket', 's3:ListBucketVersions'];
  const more = ['s3:GetBucketVersioning', 's3:GetBucketObjectLockConfiguration'];
  const deny = ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:PutObjectRetention', 's3:BypassGovernanceRetention'];
  await made.allow([
    { Effect: 'Allow', Principal, Action: [...Action, ...more], Resource },
    { Effect: 'Deny', Principal, Action: deny, Resource },
  ]);
  const { code, of } = await check(await projectWith(made, { keys: writer.keys }));
  expect(of('destination')).toMatchObject({ message: expect.stringContaining('this account cannot remove anything') });
  expect(of('protection')).toMatchObject({
    result: 'good',
    message: 'locked: only who may bypass governance can delete or shorten for 30 days',
  });
  expect(code).toBe(0);
});

test('check fails when a lock is asked for that does not hold', async () => {
  for (const [options, why] of [
    [{ versions: true }, 'not locked'],
    [{}, 'not locked'],
  ] as const) {
    const made = await bucket(options);
    const folder = await projectWith(made, { more: '    lock: { mode: governance, for: 7 days }\n' });
    const { code, of } = await check(folder);
    expect(of('protection')).toMatchObject({ result: 'bad', message: expect.stringContaining(why) });
    expect(code).toBe(1);
    const backup = await lifeboat(folder, ['backup']);
    expect(backup.stdout + backup.stderr).toMatch(/the bucket was made without object lock/);
  }
});

test('check says what versions without a lock, and a plain bucket, do not protect from', async () => {
  const versions = await check(await projectWith(await bucket({ versions: true }), { alone: true }));
  expect(versions.of('protection')).toMatchObject({
    result: 'warning',
    message: 'versions kept, no lock: whoever has these credentials can delete for good',
  });
  const plain = await check(await projectWith(await bucket(), { alone: true }));
  expect(plain.of('protection')).toMatchObject({
    result: 'warning',
    message: 'no protection: whoever can write here can delete',
    facts: { level: 'none' },
  });
  expect([versions.code, plain.code]).toEqual([0, 0]);
});

test('bytes that a store or the way to it spoiled are never restored: another copy serves, or an error says which', async () => {
  const made = await bucket();
  const proxy = await faultProxy(made.endpoint);
  const folder = await projectWith({ ...made, endpoint: proxy.endpoint }, { alone: true });
  await well(folder, 'backup');
  const restore = ['restore', 'uploads', '--into', 'back', ...daily];
  proxy.play([{ method: 'GET', path: /\/packs\//, kind: 'garble' }]);
  const spoiled = await lifeboat(folder, restore);
  expect(spoiled.code).toBe(2);
  expect(spoiled.stderr).toMatch(/destination ceph is damaged[\s\S]*\[object-damaged/);
  expect(proxy.unreached()).toEqual([]);
  proxy.play([]);
  await well(folder, ...restore, '--force');
  expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');

  const both = await projectWith({ ...made, endpoint: proxy.endpoint }, { prefix: 'both' });
  await well(both, 'backup');
  proxy.play([{ method: 'GET', path: /\/packs\//, kind: 'garble' }]);
  await well(both, ...restore);
  expect(readFileSync(join(both, 'back/a.txt'), 'utf8')).toBe('hello');
});
