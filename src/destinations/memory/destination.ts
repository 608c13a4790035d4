import { type Clock, systemClock } from '../../core/clock.ts';
import type { Destination } from '../destination.ts';
import { destinationFull, objectDamaged, objectExists, objectMissing } from '../errors.ts';
import { requireKey, requirePrefix } from '../key.ts';

export interface MemoryOptions {
  readonly name: string;
  readonly clock?: Clock;
  /** Full at this size; without it, never. */
  readonly capacityBytes?: number;
}

/** A destination in this process's memory, with the whole contract except that nothing outlives the process. */
export function openMemory(options: MemoryOptions): Destination {
  const { name, capacityBytes } = options;
  const clock = options.clock ?? systemClock;
  const objects = new Map<string, { readonly bytes: Uint8Array; readonly modifiedMs: number }>();
  let usedBytes = 0;
  const location = `memory:${name}`;

  const find = (key: string) => {
    requireKey(name, key);
    const found = objects.get(key);
    if (found === undefined) throw objectMissing({ destination: name, key });
    return found;
  };

  return {
    name,
    type: 'memory',
    location,
    capabilities: { conditionalCreate: true, checksums: false, objectLock: 'none', versions: false },

    async put(key, body, putOptions) {
      requireKey(name, key);
      putOptions?.signal?.throwIfAborted();
      const present = objects.get(key);
      if (present !== undefined) {
        if (Buffer.compare(present.bytes, body) !== 0) throw objectExists({ destination: name, key });
        return { sizeBytes: body.length, existed: true };
      }
      if (capacityBytes !== undefined && usedBytes + body.length > capacityBytes) {
        throw destinationFull({ destination: name, location });
      }
      objects.set(key, { bytes: Uint8Array.from(body), modifiedMs: clock.now() });
      usedBytes += body.length;
      return { sizeBytes: body.length, existed: false };
    },

    async get(key, range, getOptions) {
      getOptions?.signal?.throwIfAborted();
      const { bytes } = find(key);
      const { offset, length } = range ?? { offset: 0, length: bytes.length };
      if (offset < 0 || length < 0) throw new RangeError(`no range of bytes: ${offset}, ${length}`);
      if (offset + length > bytes.length) {
        const why = `it has ${bytes.length} bytes, and bytes ${offset} to ${offset + length} were asked for`;
        throw objectDamaged({ destination: name, key, why });
      }
      return bytes.slice(offset, offset + length);
    },

    async stat(key) {
      const { bytes, modifiedMs } = find(key);
      return { key, sizeBytes: bytes.length, modifiedMs };
    },

    async *list(prefix) {
      requirePrefix(name, prefix);
      // A copy: a map that others fill meanwhile would never come to its end.
      for (const [key, { bytes, modifiedMs }] of [...objects]) {
        if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.length, modifiedMs };
      }
    },

    async delete(key) {
      requireKey(name, key);
      usedBytes -= objects.get(key)?.bytes.length ?? 0;
      objects.delete(key);
    },

    async freeBytes() {
      return capacityBytes === undefined ? undefined : capacityBytes - usedBytes;
    },
  };
}
