import type { Readable } from 'node:stream';
import {
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import type { ByteRange, Listed } from '../destination.ts';
import { objectDamaged, objectFrozen, objectMissing } from '../errors.ts';
import { mostBytesOf, requireSize } from '../object-sizes.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { failureOf, refusalOf, saysAbsent, saysDenied } from './failure.ts';

export interface ReadOptions {
  readonly version?: string;
  readonly signal?: AbortSignal | undefined;
  readonly mostBytes?: number | undefined;
}

/** Exactly the bytes of the range, or of the whole object. A connection that ends early is `destination-unreachable`. */
export async function read(
  bucket: Bucket,
  key: string,
  range: ByteRange | undefined,
  { version, signal, mostBytes }: ReadOptions,
): Promise<Uint8Array> {
  const { offset, length } = range ?? { offset: 0, length: 0 };
  if (offset < 0 || length < 0) throw new RangeError(`no range of bytes: ${offset}, ${length}`);
  // HTTP has no words for a range without bytes.
  if (range !== undefined && length === 0)
    return readNothing(bucket, key, offset, { ...(version && { version }), signal });
  const last = Math.min(offset + length - 1, Number.MAX_SAFE_INTEGER);
  const command = new GetObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    ...(version !== undefined && { VersionId: version }),
    ...(range && { Range: `bytes=${offset}-${last}` }),
  });
  const answer = await bucket.ask(
    (s3, abort) => s3.send(command, abort),
    async (error) => {
      if (refusalOf(error).status === 416) throw tooShort(bucket, key, range, undefined);
      if (refusalOf(error).code === 'InvalidObjectState') throw objectFrozen({ destination: bucket.name, key });
      if (isGone(error)) throw await missing(bucket, key, error);
      if (version === undefined) await throwIfAbsent(bucket, key, error);
      return undefined;
    },
    signal,
  );
  const body = answer.Body as unknown as Readable;
  const most = mostBytesOf(key, mostBytes === undefined ? {} : { mostBytes });
  const taking = { key, most, signal };
  if (answer.ETag === undefined) {
    body.destroy();
    throw failureOf(notAStore(), bucket);
  }
  if (range === undefined) return readBody(bucket, body, answer.ContentLength, taking);
  const given = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.ContentRange ?? '');
  if (given === null) {
    // Not understood on the way: the whole object comes instead.
    const whole = await readBody(bucket, body, answer.ContentLength, taking);
    if (offset + length > whole.length) throw tooShort(bucket, key, range, whole.length);
    return whole.slice(offset, offset + length);
  }
  if (Number(given[2]) - Number(given[1]) + 1 < length) {
    body.destroy();
    throw tooShort(bucket, key, range, given[3] === '*' ? undefined : Number(given[3]));
  }
  return readBody(bucket, body, length, { ...taking, most: length });
}

export async function stat(bucket: Bucket, key: string, options: ReadOptions = {}): Promise<Listed> {
  const { ContentLength: sizeBytes = 0, LastModified } = await head(bucket, key, options);
  return { key, sizeBytes, modifiedMs: LastModified?.getTime() ?? 0 };
}

/** What the store says of an object, or `object-missing`. */
export async function head(bucket: Bucket, key: string, options: ReadOptions): Promise<HeadObjectCommandOutput> {
  const found = await bucket.ask(
    (s3, abort) => s3.send(headOf(bucket, key, options.version), abort),
    async (error) => {
      if (isGone(error)) throw await missing(bucket, key, error);
      if (options.version === undefined) await throwIfAbsent(bucket, key, error);
      return undefined;
    },
    options.signal,
  );
  if (found.ETag === undefined) throw failureOf(notAStore(), bucket);
  return found;
}

export function headOf(bucket: Bucket, key: string, version?: string): HeadObjectCommand {
  return new HeadObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    ChecksumMode: 'ENABLED',
    ...(version !== undefined && { VersionId: version }),
  });
}

/** A delete marker, asked for by its version, is `MethodNotAllowed`. */
function isGone(error: unknown): boolean {
  return saysAbsent(error) || refusalOf(error).status === 405;
}

async function missing({ name, requireBucket }: Bucket, key: string, error: unknown): Promise<Error> {
  if (refusalOf(error).code !== 'NoSuchKey') await requireBucket();
  return objectMissing({ destination: name, key });
}

/**
 * Credentials that may list only under a prefix are told `AccessDenied` of what is not there, as if it were; the listing tells
 * which of the two it is. @throws `object-missing`
 */
async function throwIfAbsent(bucket: Bucket, key: string, error: unknown): Promise<void> {
  if (!saysDenied(error)) return;
  const Prefix = bucket.objectKey(key);
  const listed = await bucket.ask<Pick<ListObjectsV2CommandOutput, 'Contents'> | 'denied'>(
    (s3) => s3.send(new ListObjectsV2Command({ Bucket: bucket.bucket, Prefix, MaxKeys: 1 })),
    (refused) => (saysDenied(refused) ? 'denied' : undefined),
  );
  // A key comes before all that begin with it.
  if (listed === 'denied' || listed.Contents?.[0]?.Key === Prefix) return;
  throw objectMissing({ destination: bucket.name, key });
}

function tooShort({ name }: Bucket, key: string, range: ByteRange | undefined, sizeBytes: number | undefined): Error {
  const has = sizeBytes === undefined ? 'it ends before' : `it has ${sizeBytes} bytes, and`;
  const { offset = 0, length = 0 } = range ?? {};
  const why =
    sizeBytes === undefined
      ? `${has} byte ${offset + length}`
      : `${has} bytes ${offset} to ${offset + length} were asked for`;
  return objectDamaged({ destination: name, key, why });
}

async function readNothing(bucket: Bucket, key: string, offset: number, options: ReadOptions): Promise<Uint8Array> {
  const { sizeBytes } = await stat(bucket, key, options);
  if (offset > sizeBytes) throw tooShort(bucket, key, { offset, length: 0 }, sizeBytes);
  return new Uint8Array(0);
}

interface Taking {
  readonly key: string;
  /** More than these bytes are not taken, whatever is announced or comes. */
  readonly most: number;
  readonly signal: AbortSignal | undefined;
}

/** What is moved at least, after the time that a silence may last: a byte now and then would keep us for ever. */
const leastBytesPerSecond = 16 << 10;
/** More than a pack: a lying place may announce any size. */
const mostTimedBytes = 64 << 20;

async function readBody(
  bucket: Bucket,
  body: Readable,
  expectedBytes: number | undefined,
  { key, most, signal }: Taking,
): Promise<Uint8Array> {
  if (expectedBytes !== undefined && expectedBytes > most) body.destroy();
  if (expectedBytes !== undefined) requireSize(bucket.name, key, expectedBytes, { mostBytes: most });
  const whole = expectedBytes !== undefined ? Buffer.allocUnsafeSlow(expectedBytes) : undefined;
  const pieces: Buffer[] = [];
  let receivedBytes = 0;
  const giveUp = () => body.destroy(Object.assign(new Error('silent'), { code: 'ETIMEDOUT' }));
  const patience = setTimeout(giveUp, bucket.silenceMs);
  const allowedMs = bucket.silenceMs + (Math.min(expectedBytes ?? most, mostTimedBytes) / leastBytesPerSecond) * 1000;
  const inAll = setTimeout(giveUp, allowedMs);
  const abort = () => body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      patience.refresh();
      if (whole === undefined) pieces.push(piece);
      else if (receivedBytes + piece.length <= whole.length) whole.set(piece, receivedBytes);
      receivedBytes += piece.length;
      requireSize(bucket.name, key, receivedBytes, { mostBytes: most });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(error, bucket);
  } finally {
    clearTimeout(patience);
    clearTimeout(inAll);
    body.destroy();
    signal?.removeEventListener('abort', abort);
  }
  if (expectedBytes !== undefined && receivedBytes !== expectedBytes) {
    throw failureOf(Object.assign(new Error('short'), { code: 'ECONNRESET' }), bucket);
  }
  return whole ?? Buffer.concat(pieces);
}
