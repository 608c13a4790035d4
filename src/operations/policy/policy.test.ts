// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration
import { expect, test } from 'vitest';
import { configured } from '../../../test/support/configured.ts';
import type { System } from '../../config/system.ts';
import { type Role, roles } from '../../core/roles.ts';
import type { BackblazeKey } from './backblaze.ts';
import type { IamPolicy } from './iam.ts';
import { policyFor } from './policy.ts';

async function load(): Promise<System> {
  const { config } = await configured(
    `destinations:
  disk: { type: local, path: backups }
  aws: { type: s3, bucket: harbor-backups, region: eu-central-1, prefix: a/b }
  locking: { type: s3, bucket: harbor-backups, region: eu-central-1, lock: { mode: governance, for: 30 days } }
  ceph: { type: s3, bucket: c-c, endpoint: "https://rgw.example.com" }
  b2: { type: s3, bucket: b-b, endpoint: "https://s3.eu-central-003.backblazeb2.com", prefix: a }
  r2: { type: s3, bucket: r-r, endpoint: "https://${'0123456789abcdef'.repeat(2)}.r2.cloudflarestorage.com" }
  box: { type: sftp, host: backup.example.com, user: harbor, path: vault, hostKeys: ["SHA256:x"] }
datasets:
  app-db: { type: sqlite, path: app.db, rpo: 15m, rto: 10m, retention: { monthly: 12, yearly: 3 } }
`,
  );
  return config;
}

const actionsOf = (policy: IamPolicy, Effect: 'Allow' | 'Deny' = 'Allow') =>
  policy.Statement.filter((one) => one.Effect === Effect).flatMap(({ Action, Resource }) =>
    Action.flatMap((action) => Resource.map((resource) => `${action} ${resource.replace('arn:aws:s3:::', '')}`)),
  );

test('Amazon: exact resources under the prefix, create only what is not there, and nothing that gives a role another’s power', async () => {
  const system = await load();
  const of = (role: Role) => policyFor(system, { destination: 'aws', role }).policy as IamPolicy;
  for (const role of roles) {
    expect(JSON.stringify(of(role))).not.toContain('"Principal"');
    for (const one of actionsOf(of(role))) expect(one).toMatch(/^s3:\w+ harbor-backups(\/a\/b\/\S+)?$/);
    const list = of(role).Statement.find(({ Sid }) => Sid === 'List');
    expect(list?.Condition).toEqual({ StringLike: { 's3:prefix': ['a/b/*'] } });
    const create = of(role).Statement.find(({ Sid }) => Sid === 'Create');
    expect(create?.Condition).toEqual({ Null: { 's3:if-none-match': 'false' } });
    expect(JSON.stringify(of(role))).not.toMatch(/s3:\*|Bypass|PutBucket|DeleteObject"/);
  }
  const writer = actionsOf(of('writer'));
  expect(writer.filter((one) => /(packs|manifests)\//.test(one))).toEqual([
    's3:PutObject harbor-backups/a/b/packs/*',
    's3:PutObject harbor-backups/a/b/manifests/*',
  ]);
  expect(writer.filter((one) => /Delete|Retention/.test(one))).toEqual([
    's3:DeleteObjectVersion harbor-backups/a/b/probe/*',
  ]);
  // As long as retention keeps anything, and a margin: nobody can make the bucket cost for ever.
  const extend = of('keeper').Statement.find(({ Sid }) => Sid === 'ExtendLocks');
  expect(extend?.Condition).toEqual({
    NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': String(3 * 366 + 90 + 1) },
  });
  expect(actionsOf(of('keeper')).filter((one) => /GetObject(Version)? .*(packs|manifests|index)/.test(one))).toEqual(
    [],
  );
  expect(actionsOf(of('pruner')).filter((one) => /PutObject /.test(one))).toEqual([
    's3:PutObject harbor-backups/a/b/gc/*',
    's3:PutObject harbor-backups/a/b/ledger/*',
  ]);
});

test('a writer that locks by itself may lock no longer than it is told to, and is advised not to', async () => {
  const system = await load();
  const { policy, notes } = policyFor(system, { destination: 'locking', role: 'writer' });
  const lock = (policy as IamPolicy).Statement.find(({ Sid }) => Sid === 'LockAtBirth');
  expect(lock?.Condition).toEqual({ NumericLessThanEquals: { 's3:object-lock-remaining-retention-days': '31' } });
  expect(notes.join(' ')).toContain('let the bucket lock by itself');
});

test('a bucket’s own policy names the user, and denies what owning an object would allow', async () => {
  const system = await load();
  const { form, policy, notes } = policyFor(system, {
    destination: 'ceph',
    role: 'writer',
    principal: 'arn:aws:iam:::user/w',
  });
  expect(form).toBe('bucket');
  const { Statement } = policy as IamPolicy;
  expect(new Set(Statement.map(({ Principal }) => JSON.stringify(Principal)))).toEqual(
    new Set(['{"AWS":["arn:aws:iam:::user/w"]}']),
  );
  expect(JSON.stringify(policy)).not.toContain('Condition');
  const denied = actionsOf(policy as IamPolicy, 'Deny');
  for (const one of [
    's3:GetObject c-c/packs/*',
    's3:GetObjectVersion c-c/manifests/*',
    's3:DeleteObject c-c/packs/*',
    's3:PutObjectAcl c-c/*',
    's3:PutObjectRetention c-c/*',
  ]) {
    expect(denied).toContain(one);
  }
  expect(notes.join(' ')).toContain('may put one over an object');
});

test('Backblaze, Cloudflare: what a key is made with, and plainly what it cannot keep from happening', async () => {
  const system = await load();
  const key = policyFor(system, { destination: 'b2', role: 'writer' });
  expect(key).toMatchObject({ form: 'b2', policy: { bucketName: 'b-b', namePrefix: 'a/' } });
  expect((key.policy as BackblazeKey).capabilities).toEqual([
    'listBuckets',
    'readBuckets',
    'readBucketRetentions',
    'listFiles',
    'readFiles',
    'writeFiles',
  ]);
  expect(key.notes.join(' ')).toContain('reads the packs too');
  for (const role of roles) {
    const { capabilities } = policyFor(system, { destination: 'b2', role }).policy as BackblazeKey;
    expect(capabilities.includes('deleteFiles')).toBe(role === 'pruner');
    expect(capabilities).not.toContain('bypassGovernance');
  }
  expect(policyFor(system, { destination: 'r2', role: 'reader' }).policy).toMatchObject({
    permission: 'Object Read only',
  });
  expect(policyFor(system, { destination: 'r2', role: 'writer' }).notes.join(' ')).toContain('bucket lock rule');
});

test('an SSH server: an account that can only add; only the pruner’s removes', async () => {
  const system = await load();
  const lines = (role: Role) => policyFor(system, { destination: 'box', role }).policy as string;
  expect(lines('writer')).toMatch(
    /^Match User harbor\n {2}ChrootDirectory .*\n {2}ForceCommand internal-sftp -p [a-z,]+\n/,
  );
  for (const role of roles) expect(/[, ]remove[,\n]/.test(lines(role))).toBe(role === 'pruner');
  for (const role of roles) expect(lines(role)).not.toMatch(/rename|setstat|symlink/);
});

test('what has no roles, and what there is none of, is refused', async () => {
  const system = await load();
  expect(() => policyFor(system, { destination: 'disk', role: 'writer' })).toThrow(/whoever is root here/);
  expect(() => policyFor(system, { destination: 'box', role: 'writer', form: 'iam' })).toThrow(
    /no policy of the form iam/,
  );
  expect(() => policyFor(system, { destination: 'nsa', role: 'writer' })).toThrow(/no destination 'nsa'/);
});
