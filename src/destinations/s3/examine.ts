import { createHash } from 'node:crypto';
import { DeleteObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { LifeboatError } from '../../core/errors.ts';
import { allowed } from '../allowed.ts';
import type { Examination, Lock, LockExamination } from '../destination.ts';
import { destinationUnreachable, objectLocked, objectMissing } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { refusalOf, saysDenied, saysUnknown } from './failure.ts';
import { listVersions } from './list.ts';
import { lockOf, setLock } from './locks.ts';
import { putCommand } from './put.ts';
import { read } from './read.ts';
import { remove } from './remove.ts';
import { tryWrongHash } from './trials.ts';

/** How long the object that proves the lock stays locked at most. */
const trialLockMs = 60_000;
const longerMs = 15_000;

/** Does with a few small objects what a vault, and whoever wants to destroy it, would do. */
export async function examine(bucket: Bucket, key: string, signal?: AbortSignal): Promise<Examination> {
  const { features } = bucket;
  if (features.versions) await removeAll(bucket, 'probe/', signal);
  await tryWrongHash(bucket);
  const { version, ...overwriting } = await examineOverwriting(bucket, key, signal);
  const lock = await examineLock(bucket, `${key}-lock`, signal);
  const removes = await mayRemovePacks(bucket, version, signal);
  await allowed(() => (features.versions ? removeAll(bucket, key, signal) : remove(bucket, key, undefined)));
  return {
    ...overwriting,
    refusesWrongBytes: features.checked === 'yes',
    removes,
    ...(lock && { lock }),
  };
}

async function examineOverwriting(
  bucket: Bucket,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Pick<Examination, 'refusesOverwriting' | 'keepsVersions'> & { readonly version?: string }> {
  const first = Buffer.from('the first');
  const { version } = await create(bucket, key, first, signal);
  const { refused } = await create(bucket, key, Buffer.from('another one'), signal);
  bucket.features.conditional = refused ? 'yes' : 'no';
  if (!bucket.features.versions || version === undefined) return { refusesOverwriting: refused, keepsVersions: false };
  const keepsVersions = await allowed(async () => {
    // Hidden as well, where it may be: what is below must still be there.
    await allowed(() => remove(bucket, key, undefined));
    const kept = await read(bucket, key, undefined, { version, signal }).catch(orMissing);
    return kept !== undefined && Buffer.compare(kept, first) === 0;
  });
  return { refusesOverwriting: refused, keepsVersions, version };
}

interface Created {
  readonly refused: boolean;
  readonly version?: string | undefined;
}

/** As a vault's object is created; a store that does not know the condition is asked without it. */
async function create(
  bucket: Bucket,
  key: string,
  body: Uint8Array,
  signal: AbortSignal | undefined,
  lock?: Lock,
): Promise<Created> {
  const sha256 = createHash('sha256').update(body).digest('hex');
  const attempt = () => {
    const command = putCommand(bucket, { key, body, sha256, signal });
    if (lock !== undefined) {
      command.input.ObjectLockMode = lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
      command.input.ObjectLockRetainUntilDate = new Date(lock.untilMs);
    }
    return command;
  };
  return bucket.ask<Created>(
    async (s3, abort) => ({ refused: false, version: (await s3.send(attempt(), abort)).VersionId }),
    async (error) => {
      if (refusalOf(error).status === 412) return { refused: true };
      if (!saysUnknown(error) || bucket.features.conditional === 'no') return undefined;
      bucket.features.conditional = 'no';
      return create(bucket, key, body, signal, lock);
    },
    signal,
  );
}

async function examineLock(
  bucket: Bucket,
  key: string,
  signal: AbortSignal | undefined,
): Promise<LockExamination | undefined> {
  const { options, features, client } = bucket;
  const wanted = options.lock ?? features.defaultLock;
  if (wanted === undefined) return undefined;
  const { mode, forMs } = wanted;
  const found = { mode, forMs, by: options.lock === undefined ? 'bucket' : 'request' } as const;
  const nothing = { locksAtBirth: undefined, extends: undefined, refusesShorter: undefined, refusesRemoval: undefined };
  if (features.lock === 'no') return { ...found, ...nothing, locksAtBirth: false, lifts: false };

  const untilMs = Math.ceil((client.storeNow() + trialLockMs) / 1000) * 1000;
  const created = await allowed(() => create(bucket, key, Buffer.from('locked'), signal, { mode, untilMs }));
  // Without the right to lock, the bucket would lock the trial for its whole time: it is left untried.
  if (created?.version === undefined) return { ...found, ...nothing, lifts: false };
  const { version } = created;
  const until = async () => (await lockOf(bucket, key, version))?.untilMs ?? 0;

  const locksAtBirth = await allowed(async () => (await until()) >= untilMs);
  const longer = await allowed(async () => {
    await setLock(bucket, key, version, { mode, untilMs: untilMs + longerMs });
    return (await until()) >= untilMs + longerMs;
  });
  const atLeast = longer ? untilMs + longerMs : untilMs;
  const refusesShorter = await allowed(async () => {
    await refusable(() => setLock(bucket, key, version, { mode, untilMs: untilMs - 30_000 }));
    return (await until()) >= atLeast;
  });
  await refusable(() => remove(bucket, key, version));
  const refusesRemoval = await allowed(async () => {
    return (await read(bucket, key, undefined, { version, signal }).catch(orMissing)) !== undefined;
  });
  const lifts = mode === 'governance' && refusesRemoval === true && (await lift(bucket, key, version));
  return { ...found, locksAtBirth, extends: longer, refusesShorter, refusesRemoval, lifts };
}

/** Whether these credentials can end a governance lock; then the trial is gone at once. */
async function lift(bucket: Bucket, key: string, version: string): Promise<boolean> {
  const named = { Bucket: bucket.bucket, Key: bucket.objectKey(key), VersionId: version };
  const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(bucket.client.storeNow() + 2_000) } as const;
  const attempts = [
    new DeleteObjectCommand({ ...named, BypassGovernanceRetention: true }),
    new PutObjectRetentionCommand({ ...named, Retention, BypassGovernanceRetention: true }),
  ];
  for (const command of attempts) {
    const done = await bucket.ask<boolean>(
      async (s3) => {
        await s3.send(command as DeleteObjectCommand);
        return true;
      },
      (error) => ((refusalOf(error).status ?? 500) < 500 ? false : undefined),
    );
    if (done) return true;
  }
  return false;
}

/**
 * Whether these credentials could remove a pack for good: a policy may let them remove trials only, so a pack is asked for, one
 * that never was. A store asks for the right to remove before it looks whether there is anything.
 */
async function mayRemovePacks(
  bucket: Bucket,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (bucket.features.versions && version === undefined) return false;
  const Key = bucket.objectKey(`packs/00/${'0'.repeat(64)}.age`);
  // Where versions are kept by the version of another object: without one, a marker for nothing would be left.
  const command = new DeleteObjectCommand({
    Bucket: bucket.bucket,
    Key,
    ...(version !== undefined && { VersionId: version }),
  });
  return bucket.ask<boolean>(
    async (s3, abort) => {
      await s3.send(command, abort);
      return true;
    },
    (error) => {
      const { status = 500 } = refusalOf(error);
      return status >= 500 ? undefined : !saysDenied(error);
    },
    signal,
  );
}

/** Leftovers of earlier trials are few; what is still locked stays until the next. */
const mostRemoved = 100;

/** Every version below `prefix` that can be removed. */
async function removeAll(bucket: Bucket, prefix: string, signal: AbortSignal | undefined): Promise<void> {
  await allowed(async () => {
    const found = [];
    for await (const one of listVersions(bucket, prefix)) {
      found.push(one);
      if (found.length === mostRemoved) break;
    }
    for (const { key, version } of found) {
      signal?.throwIfAborted();
      try {
        await remove(bucket, key, version);
      } catch (error) {
        if (!objectLocked.is(error)) throw error;
      }
    }
  });
}

/** What should be refused, and what it did is looked at afterwards. */
async function refusable(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof LifeboatError) || destinationUnreachable.is(error)) throw error;
  }
}

function orMissing(error: unknown): undefined {
  if (objectMissing.is(error)) return undefined;
  throw error;
}
