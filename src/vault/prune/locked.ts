import type { Run } from '../../core/run.ts';
import type { Key } from '../../destinations/destination.ts';
import { listKey, manifestKey, packKey } from '../format/keys.ts';
import type { SweepPlan } from './decide.ts';
import type { Place } from './place.ts';

/** Asking costs a request for each object: a dry run looks at so many and says that it did. */
const mostAsked = 500;

export interface LockedNow {
  readonly objects: number;
  /** The last end that was found, by the store's clock; absent when nothing is locked. */
  readonly untilMs?: number;
  /** Not all were asked for. */
  readonly isSample: boolean;
}

/** What of a plan locks hold now. */
export async function lockedNow({ destination }: Place, plan: SweepPlan, run: Run): Promise<LockedNow> {
  const { history, capabilities } = destination;
  const none = { objects: 0, isSample: false };
  if (history === undefined || capabilities.objectLock === 'none') return none;
  const keys = keysOf(plan);
  const asked = [...keys.take(mostAsked)];
  let objects = 0;
  let untilMs = 0;
  for (const [at, key] of asked.entries()) {
    run.signal.throwIfAborted();
    run.progress({ label: `locks at ${destination.name}`, doneItems: at, totalItems: asked.length });
    const ends: number[] = [];
    for (const { version, isDeleteMarker } of await history.versionsOf(key)) {
      if (!isDeleteMarker) ends.push((await history.lockOf(key, version))?.untilMs ?? 0);
    }
    const endMs = Math.max(0, ...ends);
    if (endMs === 0) continue;
    objects++;
    untilMs = Math.max(untilMs, endMs);
  }
  return {
    objects,
    ...(objects > 0 && { untilMs }),
    isSample: asked.length < [...keysOf(plan)].length,
  };
}

function* keysOf({ records, manifests, lists, packs, logs }: SweepPlan): Generator<Key> {
  for (const { key } of records) yield key;
  for (const id of manifests) yield manifestKey(id);
  for (const id of lists) yield listKey(id);
  for (const id of packs) yield packKey(id);
  yield* logs;
}
