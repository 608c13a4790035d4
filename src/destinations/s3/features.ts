import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  ListObjectVersionsCommand,
  type ObjectLockConfiguration,
  type ObjectVersion,
} from '@aws-sdk/client-s3';
import { dayMs } from '../../core/duration.ts';
import type { Lock } from '../destination.ts';
import type { S3Options } from '../options.ts';
import type { Bucket } from './bucket.ts';
import { refusalOf, saysDenied, saysUnknown } from './failure.ts';

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
  readonly defaultLock: { readonly mode: Lock['mode']; readonly forMs: number } | undefined;
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

type Asking = Pick<Bucket, 'ask'>;

/** With two requests; what these credentials may not know is taken as not there. */
export async function findFeatures({ ask }: Asking, { bucket, endpoint }: S3Options): Promise<Features> {
  const [versioning, locking] = await Promise.all([
    ask<{ readonly Status?: string; readonly denied?: true }>(
      async (s3) => {
        const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket: bucket }));
        return Status === undefined ? {} : { Status };
      },
      (error) => tolerated(error),
    ),
    ask<{ readonly found?: ObjectLockConfiguration; readonly denied?: true }>(
      async (s3) => {
        const { ObjectLockConfiguration: found } = await s3.send(
          new GetObjectLockConfigurationCommand({ Bucket: bucket }),
        );
        return found === undefined ? {} : { found };
      },
      (error) => tolerated(error),
    ),
  ]);
  const locks = locking.found?.ObjectLockEnabled === 'Enabled';
  // A bucket with object lock keeps versions, always.
  const versions =
    locks || versioning.Status === 'Enabled' || (versioning.denied === true && (await showsVersions({ ask }, bucket)));
  return {
    conditional: isDocumented(endpoint) ? 'yes' : 'unknown',
    checked: 'unknown',
    keepsChecksum: true,
    wantsMd5: false,
    versions,
    lock: locks ? 'yes' : locking.denied === true ? 'unknown' : 'no',
    defaultLock: defaultLockOf(locking.found),
  };
}

/** A store without it, a bucket without it, or nothing that these credentials may know. */
function tolerated(error: unknown): { readonly denied?: true } | undefined {
  const { code } = refusalOf(error);
  if (code === 'ObjectLockConfigurationNotFoundError' || code === 'InvalidRequest' || saysUnknown(error)) return {};
  return saysDenied(error) ? { denied: true } : undefined;
}

function defaultLockOf(found: ObjectLockConfiguration | undefined): Features['defaultLock'] {
  const { Mode, Days = 0, Years = 0 } = found?.Rule?.DefaultRetention ?? {};
  if (Mode !== 'GOVERNANCE' && Mode !== 'COMPLIANCE') return undefined;
  return { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', forMs: (Days + Years * 365) * dayMs };
}

/** For credentials that may list versions but not ask whether there are any. */
async function showsVersions({ ask }: Asking, bucket: string): Promise<boolean> {
  const versions = await ask<readonly ObjectVersion[]>(
    async (s3) => (await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: 1 }))).Versions ?? [],
    (error) => (saysDenied(error) || saysUnknown(error) ? [] : undefined),
  );
  const id = versions[0]?.VersionId;
  return id !== undefined && id !== 'null';
}
