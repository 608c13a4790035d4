import { type Clock, systemClock } from '../../core/clock.ts';
import type { Capabilities, Destination, History } from '../destination.ts';
import { requireKey, requirePrefix } from '../key.ts';
import { type ListingBounds, usualListingBounds } from '../listing-bounds.ts';
import type { S3Options } from '../options.ts';
import { type Bucket, openBucket } from './bucket.ts';
import { examine } from './examine.ts';
import { list, listVersions } from './list.ts';
import { extendLock, lockOf } from './locks.ts';
import { putsInto } from './put.ts';
import { read, stat } from './read.ts';
import { remove } from './remove.ts';

export interface OpenS3Options extends S3Options {
  readonly name: string;
  readonly clock?: Clock;
  /** A connection that says nothing for so long is given up. */
  readonly silenceMs?: number;
  readonly listing?: ListingBounds;
}

/** Opens a bucket, which must exist: Lifeboat makes none. */
export async function openS3({
  clock = systemClock,
  silenceMs = 30_000,
  listing = usualListingBounds,
  ...options
}: OpenS3Options): Promise<Destination> {
  const { name } = options;
  const bucket = await openBucket({ ...options, clock, silenceMs, listing });
  const put = putsInto(bucket);

  return {
    name,
    type: 's3',
    location: bucket.location,
    capabilities: capabilitiesOf(bucket),
    requests: () => ({ ...bucket.client.requests }),
    ...(bucket.features.versions && { history: historyOf(bucket) }),

    async put(key, body, putOptions = {}) {
      requireKey(name, key);
      return put(key, body, putOptions);
    },
    async get(key, range, getOptions) {
      requireKey(name, key);
      return read(bucket, key, range, { ...getOptions });
    },
    async stat(key) {
      requireKey(name, key);
      return stat(bucket, key);
    },
    async *list(prefix) {
      requirePrefix(name, prefix);
      yield* list(bucket, prefix);
    },
    async delete(key, version) {
      requireKey(name, key);
      await remove(bucket, key, version);
    },
    async examine(key, signal) {
      requireKey(name, key);
      return examine(bucket, key, signal);
    },
    async freeBytes() {
      return undefined;
    },
  };
}

/** As far as it has shown them: what a store refuses is seen only when it is tried. */
function capabilitiesOf({ features, options }: Bucket): Capabilities {
  return {
    get conditionalCreate() {
      return features.conditional === 'yes';
    },
    get checksums() {
      return features.checked === 'yes';
    },
    get versions() {
      return features.versions;
    },
    objectLock: features.lock === 'no' ? 'none' : (options.lock?.mode ?? features.defaultLock?.mode ?? 'none'),
  };
}

function historyOf(bucket: Bucket): History {
  const { name } = bucket;
  return {
    async *listVersions(prefix) {
      requirePrefix(name, prefix);
      yield* listVersions(bucket, prefix);
    },
    async versionsOf(key) {
      requireKey(name, key);
      const found = [];
      for await (const version of listVersions(bucket, key)) {
        // Longer names that begin like it come after it.
        if (version.key !== key) break;
        found.push(version);
      }
      return found;
    },
    async getVersion(key, version, range, options) {
      requireKey(name, key);
      return read(bucket, key, range, { ...options, version });
    },
    async lockOf(key, version) {
      requireKey(name, key);
      return lockOf(bucket, key, version);
    },
    async extendLock(key, version, untilMs) {
      requireKey(name, key);
      return extendLock(bucket, key, version, untilMs);
    },
  };
}
