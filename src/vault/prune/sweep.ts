import { failureOfPlace } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Key } from '../../destinations/destination.ts';
import { createIds } from '../format/ids.ts';
import { listKey, manifestKey, packKey } from '../format/keys.ts';
import type { Held } from '../hold/held-packs.ts';
import { createIdSet } from '../hold/id-set.ts';
import { allRules, type PruneRules } from '../prune-rules.ts';
import type { SweepPlan } from './decide.ts';
import type { Place } from './place.ts';
import { removeWhole } from './remove.ts';

/** So many are removed at once. */
const mostAtOnce = 8;

export interface Swept {
  readonly destination: string;
  readonly records: number;
  readonly objects: number;
  readonly bytes: number;
  /** What a lock holds: the next prune after its end removes it. */
  readonly locked: { readonly objects: number; readonly bytes: number; readonly untilMs?: number };
  /** Why it ended early. */
  readonly failed?: string;
}

/**
 * Removes at one place what its plan names: records first, and what a record that stays needs stays with it. Stopped at any
 * point, nothing is left that a record names and that is gone.
 */
export async function sweep(place: Place, plan: SweepPlan, run: Run, rules: PruneRules = allRules): Promise<Swept> {
  const done = { records: 0, objects: 0, bytes: 0 };
  const locked = { objects: 0, bytes: 0, untilMs: 0 };
  const stays = createIdSet(plan.records[0]?.needs.packs.ids ?? createIds());

  async function remove(key: Key, held: Held | undefined): Promise<boolean> {
    run.signal.throwIfAborted();
    const sizeBytes = held?.sizeBytes ?? 0;
    const removal = await removeWhole(place.destination, key);
    if (removal.removed) {
      done.objects++;
      done.bytes += sizeBytes;
    } else {
      locked.objects++;
      locked.bytes += sizeBytes;
      locked.untilMs = Math.max(locked.untilMs, removal.lockedUntilMs);
    }
    run.progress({ label: place.destination.name, doneItems: done.objects, doneBytes: done.bytes });
    return removal.removed;
  }

  async function removeRecords(): Promise<void> {
    await atOnce(plan.records, async ({ key, needs }) => {
      if (await remove(key, place.records.get(key))) done.records++;
      else if (rules.recordFirst) stays.addNeeds(needs);
    });
  }

  async function removeContents(): Promise<void> {
    const free = (id: string) => !stays.has(id);
    await atOnce(plan.manifests.filter(free), (id) => remove(manifestKey(id), place.manifests.get(id)));
    await atOnce(plan.lists.filter(free), (id) => remove(listKey(id), place.lists.get(id)));
    await atOnce(plan.packs.filter(free), (id) => remove(packKey(id), place.packs.get(id)));
  }

  /** None that a record needs is among them, so they have their own time. */
  async function removeLogs(): Promise<void> {
    await atOnce(plan.logs, (key) => remove(key, place.logs.get(key)));
  }

  let failed: string | undefined;
  try {
    for (const step of rules.recordFirst ? [removeRecords, removeContents] : [removeContents, removeRecords])
      await step();
    await removeLogs();
  } catch (error) {
    run.signal.throwIfAborted();
    const failure = failureOfPlace(error);
    failed = failure.message;
    run.problem(failure);
  }
  const { untilMs, ...held } = locked;
  return {
    destination: place.destination.name,
    ...done,
    locked: { ...held, ...(Number.isFinite(untilMs) && untilMs > 0 && { untilMs }) },
    ...(failed !== undefined && { failed }),
  };
}

async function atOnce<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  let failure: { readonly error: unknown } | undefined;
  const line = async () => {
    for (const item of queue) {
      if (failure !== undefined) return;
      await work(item).catch((error: unknown) => {
        failure ??= { error };
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, items.length) }, line));
  if (failure !== undefined) throw failure.error;
}
