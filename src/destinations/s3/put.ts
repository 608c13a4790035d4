import { createHash } from 'node:crypto';
import { PutObjectCommand, type PutObjectCommandOutput } from '@aws-sdk/client-s3';
import type { PutOptions, Stored } from '../destination.ts';
import { destinationDenied, destinationUnreachable } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { confirmFirst, existing, refusedAsExisting, type Sending } from './existing.ts';
import { failureOf, refusalOf, saysUnknown } from './failure.ts';
import { signHash, tryConditional, tryWrongHash } from './trials.ts';

export type Put = (key: string, body: Uint8Array, options: PutOptions) => Promise<Stored>;

/** From this size on the line decides when all of it is there. */
const largeBytes = 1 << 20;

/** Uploads whose answer never came, so that they may have happened; forgotten beyond so many. */
const mostDoubts = 10_000;

/**
 * One request for each object where the store refuses to create a key twice. Where it does not, an object that carries its
 * own SHA-256 in its name still takes one: whatever is stored twice under it has the same bytes. Any other is looked for before
 * and after, and the first version of a key wins.
 */
export function putsInto(bucket: Bucket): Put {
  const { features } = bucket;
  const doubts = new Set<string>();
  const inTurn = turns();
  let tried: Promise<void> | undefined;

  async function put({ key, body, sha256, signal }: Sending): Promise<Stored> {
    const sending = { key, body, sha256, signal };
    if (features.checked === 'unknown') {
      // Once for all that are sent; a trial that failed is made again by the next.
      tried ??= tryWrongHash(bucket).finally(() => {
        tried = undefined;
      });
      await tried;
    }
    const doubted = doubts.has(key);
    const careful = features.conditional !== 'yes' && !key.includes(sha256);
    if (doubted || careful) {
      const present = await existing(bucket, sending);
      if (typeof present === 'object') {
        doubts.delete(key);
        return present;
      }
    }
    const stored = await create(sending);
    if (!careful || stored.existed) return stored;
    if (features.conditional === 'unknown') await tryConditional(bucket, sending);
    return features.conditional === 'no' ? confirmFirst(bucket, sending, stored) : stored;
  }

  async function create(sending: Sending): Promise<Stored> {
    const { key } = sending;
    try {
      const stored = await send(bucket, sending);
      doubts.delete(key);
      return stored;
    } catch (error) {
      if (destinationUnreachable.is(error) || sending.signal?.aborted) {
        if (doubts.size >= mostDoubts) doubts.clear();
        doubts.add(key);
      }
      throw error;
    }
  }

  return async (key, body, { sha256, signal }) => {
    signal?.throwIfAborted();
    const sending = { key, body, sha256: sha256 ?? createHash('sha256').update(body).digest('hex'), signal };
    // Two of this process for one key follow each other: where the store lets both win, they would not see each other.
    return features.conditional === 'yes' ? put(sending) : inTurn(key, () => put(sending));
  };
}

async function send(bucket: Bucket, sending: Sending): Promise<Stored> {
  const { body, signal } = sending;
  const command = putCommand(bucket, sending);
  const answer = await bucket.ask<PutObjectCommandOutput | 'exists' | 'again'>(
    (s3, abort) => (body.length < largeBytes ? s3 : bucket.client.patient).send(command, abort),
    (error) => {
      if (refusalOf(error).status === 412) return 'exists';
      return adapt(bucket, command, error) ? 'again' : undefined;
    },
    signal,
  );
  // Each time without one header more, so this ends.
  if (answer === 'again') return send(bucket, sending);
  if (answer === 'exists') {
    bucket.features.conditional = 'yes';
    return refusedAsExisting(bucket, sending);
  }
  const { VersionId, ETag } = answer;
  if (ETag === undefined) throw failureOf(notAStore(), bucket);
  const versioned = VersionId !== undefined && VersionId !== 'null';
  if (versioned) bucket.features.versions = true;
  return { sizeBytes: body.length, existed: false, ...(versioned && { version: VersionId }) };
}

/** Sends `body` under `key` unless it exists, as far as the store understands that; with its lock and its storage class. */
export function putCommand(bucket: Bucket, { key, body, sha256 }: Sending): PutObjectCommand {
  const { features, options } = bucket;
  const command = new PutObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    Body: body,
    ContentLength: body.length,
    ...(features.conditional !== 'no' && { IfNoneMatch: '*' }),
    ...(features.keepsChecksum && { ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') }),
    ...(features.wantsMd5 && { ContentMD5: createHash('md5').update(body).digest('base64') }),
    ...(options.storageClass !== undefined &&
      key.startsWith('packs/') && { StorageClass: options.storageClass as 'STANDARD' }),
    ...lockOf(bucket, key),
  });
  signHash(command, sha256);
  return command;
}

/** What is tried out and taken away again is not kept for the length of a lock where that can be avoided. */
const trialLockMs = 5_000;

function lockOf({ options, features, client }: Bucket, key: string) {
  const trial = key.startsWith('probe/');
  const lock = trial ? features.defaultLock && { mode: 'governance', forMs: trialLockMs } : options.lock;
  if (lock === undefined) return {};
  // Whole seconds: some stores keep no less, and a lock never ends early.
  const until = new Date(Math.ceil((client.storeNow() + lock.forMs) / 1000) * 1000);
  const ObjectLockMode = lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
  return { ObjectLockMode, ObjectLockRetainUntilDate: until } as const;
}

/** Whether the store refused a header that it need not have; the next attempt goes without. */
function adapt({ features, options, name, location }: Bucket, { input }: PutObjectCommand, error: unknown): boolean {
  const { code } = refusalOf(error);
  if (saysUnknown(error)) {
    if (input.IfNoneMatch !== undefined) features.conditional = 'no';
    else if (input.ChecksumSHA256 !== undefined) features.keepsChecksum = false;
    else return false;
    return true;
  }
  if (code !== 'InvalidRequest' && code !== 'InvalidArgument') return false;
  if (options.lock !== undefined && input.ObjectLockMode !== undefined && features.lock === 'no') {
    const why = 'lifeboat.yaml asks for a lock, and the bucket was made without object lock';
    throw destinationDenied({ destination: name, location, why });
  }
  if (input.ObjectLockMode !== undefined && input.ContentMD5 === undefined) {
    features.wantsMd5 = true;
    return true;
  }
  return false;
}

/** Work for one name, one at a time; other names do not wait. */
function turns(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (last.get(name) === mine) last.delete(name);
    }
  };
}
