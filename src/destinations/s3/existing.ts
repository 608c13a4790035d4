import { createHash } from 'node:crypto';
import { DeleteObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import type { Stored } from '../destination.ts';
import { destinationDenied, destinationUnreachable, objectExists } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { failureOf, saysAbsent, saysDenied } from './failure.ts';
import { listVersions } from './list.ts';
import { headOf, read } from './read.ts';

export interface Sending {
  readonly key: string;
  readonly body: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly signal: AbortSignal | undefined;
}

/** What is there under the key, when it is the same; or that nothing is, or that these credentials may not look. */
export async function existing(bucket: Bucket, sending: Sending): Promise<Stored | 'absent' | 'hidden'> {
  const { key, signal } = sending;
  const found = await bucket.ask<HeadObjectCommandOutput | 'absent' | 'hidden'>(
    (s3, abort) => s3.send(headOf(bucket, key), abort),
    (error) => (saysAbsent(error) ? 'absent' : saysDenied(error) ? 'hidden' : undefined),
    signal,
  );
  if (found === 'absent' || found === 'hidden') return found;
  if (found.ETag === undefined) throw failureOf(notAStore(), bucket);
  return sameOrRefused(bucket, sending, found);
}

/** The store refused to create the key again. */
export async function refusedAsExisting(bucket: Bucket, sending: Sending): Promise<Stored> {
  const { name, location } = bucket;
  const { key, body, sha256 } = sending;
  const found = await existing(bucket, sending);
  if (typeof found === 'object') return found;
  if (found === 'absent') {
    // Removed in between; trying again will tell.
    const why = `it says that ${key} is there, and then that it is not`;
    throw destinationUnreachable({ destination: name, location, why });
  }
  // Whoever stored it had these bytes: an upload of ours whose answer was lost, or the same from another copy.
  if (key.includes(sha256)) return { sizeBytes: body.length, existed: true };
  const why = `it holds ${key} already, and these credentials may not read it to compare`;
  throw destinationDenied({ destination: name, location, why });
}

interface Present {
  readonly ContentLength?: number | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
}

/** Compared by the least that proves it. @throws `object-exists` */
async function sameOrRefused(bucket: Bucket, sending: Sending, found: Present, version?: string): Promise<Stored> {
  if (!(await isSame(bucket, sending, found, version)))
    throw objectExists({ destination: bucket.name, key: sending.key });
  const { VersionId } = found;
  const versioned = VersionId !== undefined && VersionId !== 'null';
  return { sizeBytes: sending.body.length, existed: true, ...(versioned && { version: VersionId }) };
}

async function isSame(bucket: Bucket, sending: Sending, found: Present, version?: string): Promise<boolean> {
  const { key, body, sha256, signal } = sending;
  if (found.ContentLength !== body.length) return false;
  // Of a multipart upload it would be the hash of hashes, with a count behind it.
  const checksum = found.ChecksumSHA256;
  if (checksum !== undefined && !checksum.includes('-'))
    return Buffer.from(checksum, 'base64').toString('hex') === sha256;
  // Finding another body with this MD5 is not in anybody's power; an ETag that is no MD5 says nothing.
  if (found.ETag?.replaceAll('"', '') === createHash('md5').update(body).digest('hex')) return true;
  const bytes = await read(bucket, key, undefined, { ...(version !== undefined && { version }), signal });
  return Buffer.compare(bytes, body) === 0;
}

/**
 * After a store let everybody create: whether ours is the first. Who lost takes its own version away where it may (a lock may
 * keep it), and says what it would have said had it come later.
 */
export async function confirmFirst(bucket: Bucket, sending: Sending, stored: Stored): Promise<Stored> {
  const { key, signal } = sending;
  if (stored.version === undefined) {
    const now = await existing(bucket, sending);
    return typeof now === 'object' ? { ...now, existed: false } : stored;
  }
  const first = await firstVersion(bucket, key);
  if (first === undefined || first === stored.version) return stored;
  await removeVersion(bucket, key, stored.version);
  const found = await bucket.call((s3, abort) => s3.send(headOf(bucket, key, first), abort), signal);
  return sameOrRefused(bucket, sending, found, first);
}

/** Of those since it was last removed; undefined when these credentials may not look. */
async function firstVersion(bucket: Bucket, key: string): Promise<string | undefined> {
  let first: string | undefined;
  try {
    for await (const one of listVersions(bucket, key)) {
      if (one.key !== key || one.isDeleteMarker) break;
      first = one.version;
    }
  } catch (error) {
    if (!destinationDenied.is(error)) throw error;
  }
  return first;
}

async function removeVersion(bucket: Bucket, key: string, version: string): Promise<void> {
  await bucket.ask<unknown>(
    (s3) => s3.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key: bucket.objectKey(key), VersionId: version })),
    (error) => (saysDenied(error) ? true : undefined),
  );
}
