import {
  GetObjectRetentionCommand,
  type GetObjectRetentionCommandOutput,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import type { Lock } from '../destination.ts';
import { objectMissing } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { refusalOf, saysAbsent } from './failure.ts';

/** The lock of a version, also one that has ended; undefined when it never had any. */
export async function lockOf(bucket: Bucket, key: string, version: string): Promise<Lock | undefined> {
  const { Retention } = await bucket.ask<Pick<GetObjectRetentionCommandOutput, 'Retention'>>(
    (s3) => s3.send(new GetObjectRetentionCommand(named(bucket, key, version))),
    (error) => {
      const { code, status } = refusalOf(error);
      // In this order: "there is no lock" is a 404 too. A bucket without object lock calls the request invalid.
      if (/ObjectLockConfiguration|InvalidRequest/.test(code)) return {};
      if (saysAbsent(error) || status === 405) throw objectMissing({ destination: bucket.name, key });
      return undefined;
    },
  );
  if (Retention?.Mode === undefined || Retention.RetainUntilDate === undefined) return undefined;
  return { mode: modeOf(Retention.Mode), untilMs: Retention.RetainUntilDate.getTime() };
}

/** Always of one version: whoever stored another over it meanwhile must not have it locked in its place. */
export async function extendLock(bucket: Bucket, key: string, version: string, untilMs: number): Promise<Lock> {
  const before = await lockOf(bucket, key, version);
  if (before !== undefined && before.untilMs >= untilMs) return before;
  const mode = before?.mode ?? bucket.options.lock?.mode ?? bucket.features.defaultLock?.mode ?? 'governance';
  const until = new Date(Math.ceil(untilMs / 1000) * 1000);
  await setLock(bucket, key, version, { mode, untilMs: until.getTime() });
  return { mode, untilMs: until.getTime() };
}

export async function setLock(bucket: Bucket, key: string, version: string, lock: Lock): Promise<void> {
  const Retention = { Mode: nameOf(lock.mode), RetainUntilDate: new Date(lock.untilMs) } as const;
  await bucket.ask<unknown>(
    (s3) => s3.send(new PutObjectRetentionCommand({ ...named(bucket, key, version), Retention })),
    (error) => {
      if (saysAbsent(error)) throw objectMissing({ destination: bucket.name, key });
      return undefined;
    },
  );
}

function named(bucket: Bucket, key: string, version: string) {
  return { Bucket: bucket.bucket, Key: bucket.objectKey(key), VersionId: version };
}

function modeOf(name: string): Lock['mode'] {
  return name === 'COMPLIANCE' ? 'compliance' : 'governance';
}

function nameOf(mode: Lock['mode']): 'COMPLIANCE' | 'GOVERNANCE' {
  return mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
}
