import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { inject, onTestFinished } from 'vitest';
import type { S3Options } from '../../src/destinations/options.ts';
import { type CephAccess, type CephKeys, createCephUser, limitUser, purgeBucket } from './ceph.ts';

export interface BucketOptions {
  /** Object lock is possible (and versions are kept); with `mode` and `days` every object is locked by the bucket. */
  readonly lock?: boolean | { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly days: number };
  readonly versions?: boolean;
  /** Its owner may store so much. */
  readonly mostBytes?: number;
}

/** A bucket of the run's Ceph, and its owner, who may do everything with it. */
export interface TestBucket extends AsyncDisposable {
  readonly endpoint: string;
  readonly bucket: string;
  readonly keys: CephKeys;
  /** What the adapter is opened with. */
  readonly options: S3Options;
  /** The owner's, to do and see what Lifeboat cannot. */
  readonly client: S3Client;
  /** Another user, who may do nothing here until a policy says so; `arn` names them there. */
  user(): Promise<CephUser>;
  /** The statements of the bucket's policy. */
  allow(statements: readonly object[]): Promise<void>;
}

export interface CephUser {
  readonly arn: string;
  readonly keys: CephKeys;
}

/** A new bucket that goes when the running test ends. */
export async function bucket(options: BucketOptions = {}): Promise<TestBucket> {
  const made = await makeBucket(options);
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

/** The same for `beforeAll` and `await using`, where no test is running: the caller disposes of it. */
export async function makeBucket(options: BucketOptions = {}): Promise<TestBucket> {
  const access = await ceph();
  const name = `b-${randomBytes(6).toString('hex')}`;
  const { keys } = await newUser(access, name);
  if (options.mostBytes !== undefined) await limitUser(access, name, options.mostBytes);
  const client = clientOf(access.endpoint, keys);
  const { lock = false, versions = false } = options;
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock !== false }));
  if (typeof lock === 'object') {
    const Rule = { DefaultRetention: { Mode: lock.mode, Days: lock.days } };
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const;
    await client.send(new PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }));
  }
  if (versions && lock === false) {
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
  }
  return {
    endpoint: access.endpoint,
    bucket: name,
    keys,
    options: { type: 's3', bucket: name, endpoint: access.endpoint, region: 'us-east-1', credentials: keys },
    client,
    user: () => newUser(access, `${name}-${randomBytes(3).toString('hex')}`),
    async allow(statements) {
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
      await client.send(new PutBucketPolicyCommand({ Bucket: name, Policy }));
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await purgeBucket(access, name);
    },
  };
}

export function clientOf(endpoint: string, credentials: CephKeys): S3Client {
  return new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
}

async function newUser(access: CephAccess, name: string): Promise<CephUser> {
  return { arn: `arn:aws:iam:::user/${name}`, keys: await createCephUser(access, name) };
}

let asked: Promise<CephAccess> | undefined;

/** The run's Ceph; the first who asks waits until it has started. */
export function ceph(): Promise<CephAccess> {
  asked ??= ask(inject('cephSocket'));
  return asked;
}

async function ask(path: string): Promise<CephAccess> {
  const answer = JSON.parse(await text(connect(path))) as CephAccess | { readonly error: string };
  if ('error' in answer) throw new Error(answer.error);
  return answer;
}
