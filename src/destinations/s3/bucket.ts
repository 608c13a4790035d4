import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { S3Options } from '../options.ts';
import { tryAgain } from '../wrap/retry.ts';
import { type Client, type ClientOptions, openClient } from './client.ts';
import { failureOf, type Place, refusalOf, saysAbsent, saysDenied, saysUnknown } from './failure.ts';

/** What was found out about a store, or not yet. */
export type Found = 'yes' | 'no' | 'unknown';

/** Changes as the store shows what it does. */
export interface Features {
  /** `If-None-Match: *` is honoured. */
  conditional: Found;
  /** A body whose hash is not the one that was signed is refused. */
  checked: Found;
  /** The header with the SHA-256 to keep is not refused. */
  keepsChecksum: boolean;
  /** Wants Content-MD5, as older stores do for objects that are locked. */
  wantsMd5: boolean;
  /** The bucket keeps versions. */
  versions: boolean;
  /** Objects can be locked. */
  readonly lock: Found;
  /** What the bucket itself locks every new object with. */
  readonly defaultLock: 'governance' | 'compliance' | undefined;
}

/** A bucket that was reached, with all that its verbs share. */
export interface Bucket extends Place {
  readonly options: S3Options;
  readonly features: Features;
  readonly client: Client;
  readonly silenceMs: number;
  /** The object's name in the bucket. */
  objectKey(key: string): string;
  /** What `key` a name in the bucket stands for; undefined when it is none of ours. */
  keyOf(objectKey: string): string | undefined;
  /** Sends it; failures are the port's errors, and an abort throws its reason. */
  call<T>(
    work: (s3: S3Client, abort: { readonly abortSignal?: AbortSignal }) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>;
  /** The same, and `refused` looks at what a server says first: what it gives is the answer, undefined passes it on. */
  ask<T>(
    work: (s3: S3Client, abort: { readonly abortSignal?: AbortSignal }) => Promise<T>,
    refused: (error: unknown) => T | undefined | Promise<T | undefined>,
    signal?: AbortSignal,
  ): Promise<T>;
  /** Throws unless the bucket is there: a 404 without words may mean either. */
  requireBucket(): Promise<void>;
}

/** Reaches a bucket and asks what it keeps; what these credentials may not know is taken as not there. */
export async function openBucket(options: ClientOptions & { readonly name: string }): Promise<Bucket> {
  const { name, bucket, prefix, endpoint, silenceMs } = options;
  const start = prefix === undefined ? '' : `${prefix}/`;
  const location = `s3://${bucket}${prefix === undefined ? '' : `/${prefix}`}`;
  const place: Place = { name, location, bucket };
  const client = openClient(options);

  const ask: Bucket['ask'] = async (work, refused, signal) => {
    signal?.throwIfAborted();
    try {
      return await work(client.s3, signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const answer = await refused(error);
      if (answer !== undefined) return answer;
      throw failureOf(error, place);
    }
  };
  const call: Bucket['call'] = (work, signal) => ask(work, () => undefined, signal);
  const features = await tryAgain(() => findFeatures({ ask }, bucket));

  return {
    ...place,
    options,
    client,
    silenceMs,
    features: { ...features, conditional: isDocumented(endpoint) ? 'yes' : 'unknown' },
    objectKey: (key) => start + key,
    keyOf: (objectKey) => (objectKey.startsWith(start) ? objectKey.slice(start.length) : undefined),
    call,
    ask,
    async requireBucket() {
      await ask(
        (s3) => s3.send(new HeadBucketCommand({ Bucket: bucket })),
        (error) => {
          if (saysDenied(error)) return { $metadata: {} };
          if (saysAbsent(error)) throw failureOf({ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, place);
          return undefined;
        },
      );
    },
  };
}

/**
 * Providers that document conditional creation and that many programs rely on: there, not even the first object of a run
 * costs another request to find out. `lifeboat check` tries it on each all the same.
 */
function isDocumented(endpoint: string | undefined): boolean {
  return (
    endpoint === undefined || /\.(amazonaws\.com(\.cn)?|r2\.cloudflarestorage\.com)$/.test(new URL(endpoint).hostname)
  );
}

async function findFeatures({ ask }: Pick<Bucket, 'ask'>, Bucket: string): Promise<Features> {
  const tolerated = <T extends object>(absent: T) => {
    return (error: unknown) => {
      const { code } = refusalOf(error);
      if (code === 'ObjectLockConfigurationNotFoundError' || code === 'InvalidRequest' || saysUnknown(error))
        return absent;
      return saysDenied(error) ? { ...absent, denied: true } : undefined;
    };
  };
  type Versioning = { readonly Status?: string | undefined; readonly denied?: boolean };
  type Locking = {
    readonly ObjectLockConfiguration?:
      | {
          readonly ObjectLockEnabled?: string | undefined;
          readonly Rule?:
            | { readonly DefaultRetention?: { readonly Mode?: string | undefined } | undefined }
            | undefined;
        }
      | undefined;
    readonly denied?: boolean;
  };
  const [versioning, locking] = await Promise.all([
    ask<Versioning>((s3) => s3.send(new GetBucketVersioningCommand({ Bucket })), tolerated({})),
    ask<Locking>((s3) => s3.send(new GetObjectLockConfigurationCommand({ Bucket })), tolerated({})),
  ]);
  const { ObjectLockEnabled, Rule } = locking.ObjectLockConfiguration ?? {};
  const mode = Rule?.DefaultRetention?.Mode?.toLowerCase();
  const locks = ObjectLockEnabled === 'Enabled';
  // A bucket with object lock keeps versions, always.
  const versions =
    locks || versioning.Status === 'Enabled' || (versioning.denied === true && (await showsVersions({ ask }, Bucket)));
  return {
    conditional: 'unknown',
    checked: 'unknown',
    keepsChecksum: true,
    wantsMd5: false,
    versions,
    lock: locks ? 'yes' : locking.denied === true ? 'unknown' : 'no',
    defaultLock: mode === 'governance' || mode === 'compliance' ? mode : undefined,
  };
}

/** For credentials that may list versions but not ask whether there are any. */
async function showsVersions({ ask }: Pick<Bucket, 'ask'>, Bucket: string): Promise<boolean> {
  const { Versions = [] } = await ask<{
    readonly Versions?: ReadonlyArray<{ readonly VersionId?: string | undefined }> | undefined;
  }>(
    (s3) => s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1 })),
    (error) => (saysDenied(error) || saysUnknown(error) ? {} : undefined),
  );
  const id = Versions[0]?.VersionId;
  return id !== undefined && id !== 'null';
}
