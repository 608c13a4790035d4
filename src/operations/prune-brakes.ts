import type { System } from '../config/system.ts';
import { dayMs } from '../core/duration.ts';
import { intervalFor } from '../core/objectives.ts';
import { type Marks, newestNumber, type PruneFacts } from '../vault/prune/decide.ts';
import type { Place } from '../vault/prune/place.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { largeText, pruneFlood, pruneTooLarge } from './prune-errors.ts';

/** What may go in one run without being asked for. */
const mostShare = 0.2;
/** So many times the schedule's restore points within a day, and some by hand, are nothing unusual. */
const floodFactor = 4;
const byHand = 20;

/**
 * A flood of new restore points pushes old ones out of a retention that counts. Those that came since the last prune are
 * looked at, by the store's clock. @throws `prune-flood`
 */
export function refuseFlood(config: System, points: readonly RestorePoint[], sinceMs: number): void {
  for (const [dataset, { rpoMs }] of Object.entries(config.datasets)) {
    const times = points
      .filter(({ record, storedMs, doubts }) => record.dataset === dataset && storedMs > sinceMs && doubts.length === 0)
      .map(({ storedMs }) => storedMs)
      .sort((a, b) => a - b);
    const usual = Math.ceil(dayMs / intervalFor(rpoMs));
    const most = usual * floodFactor + byHand;
    let first = 0;
    for (const [last, timeMs] of times.entries()) {
      while (timeMs - times[first]! > dayMs) first++;
      if (last - first + 1 > most) throw pruneFlood({ dataset, found: last - first + 1, usual });
    }
  }
}

/** When the newest generation was stored, by the earliest clock; 0 before the first. */
export function lastPruneMs(places: readonly Place[]): number {
  const newest = newestNumber(places);
  const times = places.flatMap(({ generations }) => generations.get(newest)?.storedMs ?? []);
  return times.length === 0 ? 0 : Math.min(...times);
}

/**
 * A fifth at once, or as much as was added since the last prune, whichever is more: a policy that is at rest removes what it
 * takes in, and a mistake in it removes more. @throws `prune-too-large`
 */
export function refuseLarge(facts: PruneFacts, marks: Marks, points: readonly RestorePoint[]): void {
  const sinceMs = lastPruneMs(facts.places);
  const newest = newestNumber(facts.places);
  const before = facts.places.flatMap(({ generations }) => generations.get(newest)?.tombstones ?? []);
  const isNew = (id: string) => marks.tombstones.has(id) && !before.some((tombstones) => tombstones.has(id));
  const dropped = marks.withdrawn.filter(({ record }) => isNew(record.manifest[0])).length;
  const added = sinceMs === 0 ? 0 : points.filter(({ storedMs }) => storedMs > sinceMs).length;
  const tooMany = dropped > Math.max(Math.ceil(points.length * mostShare), added);
  for (const { packs } of facts.places) {
    let [total, freed, fresh] = [0, 0, 0];
    for (const [id, { sizeBytes, modifiedMs }] of packs) {
      total += sizeBytes;
      if (isNew(id)) freed += sizeBytes;
      if (sinceMs !== 0 && modifiedMs > sinceMs) fresh += sizeBytes;
    }
    if (!tooMany && freed <= Math.max(total * mostShare, fresh)) continue;
    throw pruneTooLarge({ what: largeText(dropped, points.length, freed, total) });
  }
}
