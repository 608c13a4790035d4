import type { Clock } from '../../core/clock.ts';
import { hourMs } from '../../core/duration.ts';
import type { Destination } from '../../destinations/destination.ts';
import type { LockMemory } from './keep.ts';

/** Clocks differ: what is remembered of a lock is this much less than what was asked for. */
const marginMs = hourMs;

/** A destination that remembers when the lock of each object ends that it stores, without asking for it. */
export function notingLocks(destination: Destination, memory: LockMemory, birthMs: number, clock: Clock): Destination {
  return {
    ...destination,
    async put(key, body, options) {
      const storedMs = clock.now();
      const stored = await destination.put(key, body, options);
      if (!stored.existed) {
        memory.note(destination.name, key, { untilMs: storedMs + birthMs - marginMs, seenMs: storedMs });
      }
      return stored;
    },
  };
}
