import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { destinationDenied, objectLocked, objectMissing } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { failureOf, saysAbsent, saysDenied } from './failure.ts';
import { lockOf } from './locks.ts';
import { head } from './read.ts';

/** Removes a key, or one version for good. Absent succeeds. @throws `object-locked` */
export async function remove(bucket: Bucket, key: string, version: string | undefined): Promise<void> {
  // Where versions are kept, removing what is absent would leave a marker for nothing.
  if (version === undefined && bucket.features.versions && !(await isThere(bucket, key))) return;
  const command = new DeleteObjectCommand({
    Bucket: bucket.bucket,
    Key: bucket.objectKey(key),
    ...(version !== undefined && { VersionId: version }),
  });
  await bucket.ask<unknown>(
    (s3) => s3.send(command),
    async (error) => {
      if (saysAbsent(error)) {
        await bucket.requireBucket();
        return true;
      }
      if (!saysDenied(error) || version === undefined) return undefined;
      const until = await lockedUntil(bucket, key, version);
      if (until === undefined) throw failureOf(error, bucket);
      throw objectLocked({ destination: bucket.name, key, until: new Date(until).toISOString() });
    },
  );
}

async function isThere(bucket: Bucket, key: string): Promise<boolean> {
  try {
    await head(bucket, key, {});
    return true;
  } catch (error) {
    if (objectMissing.is(error)) return false;
    // May not look: then it is removed unseen.
    if (destinationDenied.is(error)) return true;
    throw error;
  }
}

/** Undefined when it is not locked, or when nobody tells. */
async function lockedUntil(bucket: Bucket, key: string, version: string): Promise<number | undefined> {
  try {
    const lock = await lockOf(bucket, key, version);
    return lock !== undefined && lock.untilMs > bucket.client.storeNow() ? lock.untilMs : undefined;
  } catch (error) {
    if (destinationDenied.is(error) || objectMissing.is(error)) return undefined;
    throw error;
  }
}
