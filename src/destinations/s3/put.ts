import { createHash } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand, type PutObjectCommandOutput } from '@aws-sdk/client-s3';
import type { PutOptions, Stored } from '../destination.ts';
import { destinationDenied, destinationUnreachable, objectExists } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { notAStore } from './client.ts';
import { failureOf, refusalOf, saysAbsent, saysDenied, saysUnknown } from './failure.ts';
import { listVersions } from './list.ts';
import { headOf, read } from './read.ts';

export type Put = (key: string, body: Uint8Array, options: PutOptions) => Promise<Stored>;

export interface Sending {
  readonly key: string;
  readonly body: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly signal: AbortSignal | undefined;
}

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
      if (present !== undefined) {
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
  const { key, body, signal } = sending;
  for (;;) {
    const command = putCommand(bucket, sending);
    const again = Symbol('again');
    const answer = await bucket.ask<PutObjectCommandOutput | Stored | typeof again>(
      (s3, abort) => s3.send(command, abort),
      async (error) => {
        if (refusalOf(error).status === 412) {
          bucket.features.conditional = 'yes';
          return existing(bucket, sending).then((present) => {
            if (present !== undefined) return present;
            // Removed since, or hidden from these credentials.
            const why = `it says that ${key} is there, and then that it is not`;
            throw destinationUnreachable({ destination: bucket.name, location: bucket.location, why });
          });
        }
        return adapt(bucket, command, error) ? again : undefined;
      },
      signal,
    );
    if (answer === again) continue;
    if ('existed' in (answer as object)) return answer as Stored;
    const { VersionId, ETag } = answer as PutObjectCommandOutput;
    if (ETag === undefined) throw failureOf(notAStore(), bucket);
    const versioned = VersionId !== undefined && VersionId !== 'null';
    if (versioned) bucket.features.versions = true;
    return { sizeBytes: body.length, existed: false, ...(versioned && { version: VersionId }) };
  }
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

/** The signature covers this hash, so that the store must compare it with what it received. */
function signHash(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'lifeboatSignedHash', priority: 'low' },
  );
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

/** Whether a body that is not the signed one is refused: sent once, small, and gone again where it was not. */
export async function tryWrongHash(bucket: Bucket): Promise<void> {
  const key = `probe/${createHash('sha256').update(`${bucket.client.storeNow()}`).digest('hex').slice(0, 26)}`;
  const body = Buffer.from('not what was signed');
  const command = new PutObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    Body: body,
    // A policy may refuse whatever comes without.
    ...(bucket.features.conditional === 'yes' && { IfNoneMatch: '*' }),
  });
  signHash(command, createHash('sha256').update('what was signed').digest('hex'));
  bucket.features.checked = await bucket.ask(
    async (s3): Promise<'no'> => {
      await s3.send(command);
      return 'no';
    },
    (error) => {
      const { status, code } = refusalOf(error);
      return status === 400 && /SHA256|Digest|Checksum/i.test(code) ? 'yes' : saysDenied(error) ? 'no' : undefined;
    },
  );
}

/**
 * Whether a second creation of `key` would be refused. What is sent can never be stored: its hash is not the signed one. A
 * store that looks at the hash first stays unproved, and is treated as one that does not refuse.
 */
async function tryConditional(bucket: Bucket, { key, body }: Sending): Promise<void> {
  const { features } = bucket;
  if (features.checked !== 'yes') {
    features.conditional = 'no';
    return;
  }
  const command = new PutObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    Body: body,
    IfNoneMatch: '*',
  });
  signHash(command, createHash('sha256').update(body).update('and more').digest('hex'));
  await bucket.ask<unknown>(
    (s3) => s3.send(command),
    (error) => {
      const { status } = refusalOf(error);
      if (status === undefined || status >= 500) return saysUnknown(error) ? true : undefined;
      if (status === 412 || status === 409) features.conditional = 'yes';
      return true;
    },
  );
  if (features.conditional === 'unknown') features.conditional = 'no';
}

/** What is there under the key, when it is the same; undefined when nothing is, or when these credentials may not look. */
async function existing(bucket: Bucket, sending: Sending): Promise<Stored | undefined> {
  const { key, signal } = sending;
  const found = await bucket.ask(
    (s3, abort) => s3.send(headOf(bucket, key), abort),
    (error) => (saysAbsent(error) || saysDenied(error) ? { $metadata: {}, ContentLength: -1 } : undefined),
    signal,
  );
  if (found.ContentLength === -1) return undefined;
  if (found.ETag === undefined) throw failureOf(notAStore(), bucket);
  return sameOrRefused(bucket, sending, found);
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
async function confirmFirst(bucket: Bucket, sending: Sending, stored: Stored): Promise<Stored> {
  const { key, signal } = sending;
  if (stored.version === undefined) {
    const now = await existing(bucket, sending);
    return now === undefined ? stored : { ...now, existed: false };
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
