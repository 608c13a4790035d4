import { randomBytes } from 'node:crypto';
import { PutObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import type { Destination } from '../../src/destinations/destination.ts';
import type { TestBucket } from '../support/rgw.ts';

/** What whoever holds a host's credentials can try on one destination. Each says what it got done. */

export async function keysOf(destination: Destination): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of destination.list('')) keys.push(key);
  return keys.sort();
}

/** Deletes every object, as any program would: where versions are kept, that hides them. */
export async function deleteAll(destination: Destination): Promise<number> {
  return countDone(await keysOf(destination), (key) => destination.delete(key));
}

/** Stores bytes of the same size over every object. */
export async function overwriteAll(destination: Destination): Promise<number> {
  return countDone(await keysOf(destination), async (key) => {
    const { sizeBytes } = await destination.stat(key);
    await destination.put(key, randomBytes(Math.max(1, sizeBytes)));
  });
}

/** Tries to remove every version for good. @returns the keys of which one is gone */
export async function removeVersions(destination: Destination): Promise<string[]> {
  const gone: string[] = [];
  for (const { key, version } of await versionsOf(destination)) {
    await destination.delete(key, version).then(
      () => gone.push(key),
      () => {},
    );
  }
  return gone;
}

/** Stores other bytes over every object, by the bucket's own means: an adapter of ours would ask for a free name. */
export async function overwriteBucket({ client, bucket }: TestBucket, destination: Destination): Promise<number> {
  return countDone(await keysOf(destination), async (key) => {
    const { sizeBytes } = await destination.stat(key);
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: randomBytes(Math.max(1, sizeBytes)) }));
  });
}

/** The same by the bucket's own means, for each version in its own mode. @returns the keys whose lock became shorter */
export async function shortenBucket(
  { client, bucket }: TestBucket,
  destination: Destination,
  untilMs: number,
): Promise<string[]> {
  const shorter: string[] = [];
  for (const { key, version } of await versionsOf(destination)) {
    const before = await destination.history?.lockOf(key, version);
    if (before === undefined) continue;
    const Retention = {
      Mode: before.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
      RetainUntilDate: new Date(untilMs),
    } as const;
    const request = { Bucket: bucket, Key: key, VersionId: version, Retention };
    await client.send(new PutObjectRetentionCommand(request)).catch(() => {});
    const after = await destination.history?.lockOf(key, version);
    if ((after?.untilMs ?? 0) < before.untilMs) shorter.push(key);
  }
  return shorter;
}

/** How many versions have a shorter lock afterwards. */
export async function shortenLocks(destination: Destination, untilMs: number): Promise<number> {
  let shorter = 0;
  for (const { key, version } of await versionsOf(destination)) {
    const before = await destination.history?.lockOf(key, version);
    const after = await destination.history?.extendLock(key, version, untilMs).catch(() => before);
    if ((after?.untilMs ?? 0) < (before?.untilMs ?? 0)) shorter++;
  }
  return shorter;
}

/** Fills the place with objects that belong to nothing. */
export async function flood(destination: Destination, count: number): Promise<number> {
  const keys = Array.from({ length: count }, () => `packs/ff/${randomBytes(32).toString('hex')}.age`);
  return countDone(keys, async (key) => void (await destination.put(key, randomBytes(64))));
}

async function versionsOf(destination: Destination) {
  const versions: { key: string; version: string }[] = [];
  for await (const { key, version, isDeleteMarker } of destination.history?.listVersions('') ?? []) {
    if (!isDeleteMarker) versions.push({ key, version });
  }
  return versions;
}

async function countDone<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<number> {
  let done = 0;
  for (const item of items) {
    try {
      await work(item);
      done++;
    } catch {
      // Refused: that is what is counted.
    }
  }
  return done;
}
