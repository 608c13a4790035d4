import { failureOfPlace } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Key } from '../../destinations/destination.ts';
import { openSmall } from '../age/small-objects.ts';
import { decodeIndexDelta } from '../format/index-delta.ts';
import type { Place } from './place.ts';
import { removeWhole } from './remove.ts';

/** So many index deltas are looked at in one run; the next one goes on behind them. */
const mostLooked = 500;

interface IndexRequest {
  /** All destinations of the vault, as they were before the sweep. */
  readonly places: readonly Place[];
  /** Ids of packs that the sweep may have removed. */
  readonly swept: ReadonlySet<string>;
  /** Id of this host's writer, and what opens its index: nobody else's can be read. */
  readonly writer: string;
  readonly identity: string;
  /** Turns from run to run. */
  readonly turn: number;
}

/**
 * Removes this writer's index deltas whose packs are all gone, from everywhere at once: one that stayed somewhere would be
 * copied back. They are never needed to restore. @returns how many went
 */
export async function removeDeadIndexes(request: IndexRequest, run: Run): Promise<number> {
  const { places, swept, writer, identity, turn } = request;
  const keys = [...new Set(places.flatMap(({ indexes }) => indexes.get(writer) ?? []))].sort();
  const start = keys.length > mostLooked ? (turn * mostLooked) % keys.length : 0;
  const lives = (id: string) => !swept.has(id) && places.some(({ packs }) => packs.has(id));
  let removed = 0;
  for (const key of [...keys.slice(start), ...keys.slice(0, start)].slice(0, mostLooked)) {
    run.signal.throwIfAborted();
    const packs = await packsOf(key, places, identity);
    if (packs === undefined || packs.some(lives)) continue;
    try {
      for (const { destination } of places) await removeWhole(destination, key);
      removed++;
    } catch (error) {
      run.problem(failureOfPlace(error));
      return removed;
    }
  }
  return removed;
}

/** Undefined when no copy can be read: then it stays. */
async function packsOf(key: Key, places: readonly Place[], identity: string): Promise<string[] | undefined> {
  for (const { destination, indexes } of places) {
    if (![...indexes.values()].some((keys) => keys.includes(key))) continue;
    try {
      return decodeIndexDelta(await openSmall(await destination.get(key), [identity])).packs.map(({ id }) => id);
    } catch {
      // Another copy may be sound.
    }
  }
  return undefined;
}
