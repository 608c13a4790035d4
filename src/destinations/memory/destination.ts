import { type Clock, systemClock } from '../../core/clock.ts';
import type { ByteRange, Destination, History, Key, Lock, Version } from '../destination.ts';
import { destinationFull, objectDamaged, objectExists, objectLocked, objectMissing } from '../errors.ts';
import { requireKey, requirePrefix } from '../key.ts';

export interface MemoryOptions {
  readonly name: string;
  readonly clock?: Clock;
  /** Full at this size; without it, never. */
  readonly capacityBytes?: number;
  /** Keeps versions, like a bucket; with `lock`, each is locked for so long when it is stored. */
  readonly versions?: {
    readonly lock?: { readonly mode: Lock['mode']; readonly forMs: number };
    /** As most buckets have it: storing under a key that exists makes a new version instead of being refused. */
    readonly overwrites?: boolean;
  };
}

interface Kept {
  readonly version: string;
  /** Undefined: a delete marker. */
  readonly bytes: Uint8Array | undefined;
  readonly modifiedMs: number;
  lock: Lock | undefined;
}

/** A destination in this process's memory, with the whole contract except that nothing outlives the process. */
export function openMemory(options: MemoryOptions): Destination {
  const { name, capacityBytes, versions } = options;
  const clock = options.clock ?? systemClock;
  /** Newest last. Without `versions` each has one. */
  const objects = new Map<string, Kept[]>();
  let usedBytes = 0;
  let lastVersion = 0;
  const location = `memory:${name}`;

  const newestOf = (key: string) => objects.get(key)?.at(-1);

  const find = (key: string) => {
    requireKey(name, key);
    const found = newestOf(key);
    if (found?.bytes === undefined) throw objectMissing({ destination: name, key });
    return { ...found, bytes: found.bytes };
  };

  const keep = (key: string, bytes: Uint8Array | undefined) => {
    const modifiedMs = clock.now();
    const lock = bytes && versions?.lock && { mode: versions.lock.mode, untilMs: modifiedMs + versions.lock.forMs };
    const kept: Kept = { version: `v${++lastVersion}`, bytes, modifiedMs, lock };
    objects.set(key, [...(versions === undefined ? [] : (objects.get(key) ?? [])), kept]);
    usedBytes += bytes?.length ?? 0;
    return kept;
  };

  const findVersion = (key: string, version: string) => {
    requireKey(name, key);
    const found = objects.get(key)?.find((kept) => kept.version === version);
    if (found?.bytes === undefined) throw objectMissing({ destination: name, key });
    return found as Kept & { readonly bytes: Uint8Array };
  };

  const slice = (key: Key, bytes: Uint8Array, range: ByteRange | undefined) => {
    const { offset, length } = range ?? { offset: 0, length: bytes.length };
    if (offset < 0 || length < 0) throw new RangeError(`no range of bytes: ${offset}, ${length}`);
    if (offset + length > bytes.length) {
      const why = `it has ${bytes.length} bytes, and bytes ${offset} to ${offset + length} were asked for`;
      throw objectDamaged({ destination: name, key, why });
    }
    return bytes.slice(offset, offset + length);
  };

  const remove = (key: string, version: string) => {
    const all = objects.get(key) ?? [];
    const found = all.find((kept) => kept.version === version);
    if (found === undefined) return;
    if (found.lock !== undefined && found.lock.untilMs > clock.now()) {
      throw objectLocked({ destination: name, key, until: new Date(found.lock.untilMs).toISOString() });
    }
    usedBytes -= found.bytes?.length ?? 0;
    const left = all.filter((kept) => kept !== found);
    if (left.length > 0) objects.set(key, left);
    else objects.delete(key);
  };

  const versionsUnder = (key: string): Version[] =>
    (objects.get(key) ?? [])
      .map(
        ({ version, bytes, modifiedMs }, at, all): Version => ({
          key,
          version,
          modifiedMs,
          sizeBytes: bytes?.length ?? 0,
          isLatest: at === all.length - 1,
          isDeleteMarker: bytes === undefined,
        }),
      )
      .reverse();

  const history: History = {
    async *listVersions(prefix) {
      requirePrefix(name, prefix);
      for (const key of [...objects.keys()]) if (key.startsWith(prefix)) yield* versionsUnder(key);
    },
    async versionsOf(key) {
      requireKey(name, key);
      return versionsUnder(key);
    },
    async getVersion(key, version, range, getOptions) {
      getOptions?.signal?.throwIfAborted();
      return slice(key, findVersion(key, version).bytes, range);
    },
    async lockOf(key, version) {
      return findVersion(key, version).lock;
    },
    async extendLock(key, version, untilMs) {
      const kept = findVersion(key, version);
      const lock = { mode: kept.lock?.mode ?? 'governance', untilMs: Math.max(kept.lock?.untilMs ?? 0, untilMs) };
      kept.lock = lock;
      return lock;
    },
  };

  return {
    name,
    type: 'memory',
    location,
    capabilities: {
      conditionalCreate: versions?.overwrites !== true,
      checksums: false,
      objectLock: versions?.lock?.mode ?? 'none',
      versions: versions !== undefined,
    },
    ...(versions && { history }),

    async put(key, body, putOptions) {
      requireKey(name, key);
      putOptions?.signal?.throwIfAborted();
      const present = newestOf(key);
      if (present?.bytes !== undefined) {
        if (Buffer.compare(present.bytes, body) === 0) {
          return { sizeBytes: body.length, existed: true, ...(versions && { version: present.version }) };
        }
        if (versions?.overwrites !== true) throw objectExists({ destination: name, key });
      }
      if (capacityBytes !== undefined && usedBytes + body.length > capacityBytes) {
        throw destinationFull({ destination: name, location });
      }
      const { version } = keep(key, Uint8Array.from(body));
      return { sizeBytes: body.length, existed: false, ...(versions && { version }) };
    },

    async get(key, range, getOptions) {
      getOptions?.signal?.throwIfAborted();
      return slice(key, find(key).bytes, range);
    },

    async stat(key) {
      const { bytes, modifiedMs } = find(key);
      return { key, sizeBytes: bytes.length, modifiedMs };
    },

    async *list(prefix) {
      requirePrefix(name, prefix);
      // A copy: a map that others fill meanwhile would never come to its end.
      for (const [key, kept] of [...objects]) {
        const { bytes, modifiedMs } = kept.at(-1)!;
        if (key.startsWith(prefix) && bytes !== undefined) yield { key, sizeBytes: bytes.length, modifiedMs };
      }
    },

    async delete(key, version) {
      requireKey(name, key);
      const newest = newestOf(key);
      if (newest === undefined) return;
      if (version !== undefined) remove(key, version);
      else if (versions === undefined) remove(key, newest.version);
      else if (newest.bytes !== undefined) keep(key, undefined);
    },

    async freeBytes() {
      return capacityBytes === undefined ? undefined : capacityBytes - usedBytes;
    },
  };
}
