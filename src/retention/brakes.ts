import type { System } from '../config/system.ts';
import { dayMs, hourMs } from '../core/duration.ts';
import type { LifeboatError } from '../core/errors.ts';
import { intervalFor } from '../core/objectives.ts';
import { defaultRetention, keepSet } from '../core/retention.ts';
import { newestNumber } from '../vault/generations/index.ts';
import { pointsOf, type RestorePoint } from '../vault/index.ts';
import type { Marks, Place, PruneFacts } from '../vault/prune/index.ts';
import { largeText, pruneFlood, pruneTooLarge } from './errors.ts';

/** What may go in one run without being asked for. */
const mostShare = 0.2;
/** So many times the schedule's restore points within a day, and some by hand, are nothing unusual. */
const floodFactor = 4;
const byHand = 20;

/**
 * A flood of new restore points pushes old ones out of a retention that counts. Those of this system that came since the last prune
 * are looked at, by the store's clock. One run takes every dataset, as often as the strictest objective asks.
 */
export function floodIn(config: System, points: readonly RestorePoint[], sinceMs: number): LifeboatError | undefined {
  const own = pointsOf(config.name, points);
  const usual = Math.ceil(dayMs / strictestInterval(config));
  for (const dataset of Object.keys(config.datasets)) {
    const times = own
      .filter(({ record, storedMs, doubts }) => record.dataset === dataset && storedMs > sinceMs && doubts.length === 0)
      .map(({ storedMs }) => storedMs)
      .sort((a, b) => a - b);
    const most = usual * floodFactor + byHand;
    let first = 0;
    for (const [last, timeMs] of times.entries()) {
      while (timeMs - times[first]! > dayMs) first++;
      if (last - first + 1 > most) return pruneFlood({ dataset, found: last - first + 1, usual });
    }
  }
  return undefined;
}

/** When the newest generation was stored, by the earliest clock; 0 before the first. */
export function lastPruneMs(places: readonly Place[]): number {
  const newest = newestNumber(places);
  const times = places.flatMap(({ generations }) => generations.get(newest)?.storedMs ?? []);
  return times.length === 0 ? 0 : Math.min(...times);
}

/**
 * A fifth at once, or as much as was added since the last prune, whichever is more: a policy that is at rest removes what it
 * takes in, and a mistake in it removes more. The first prune has none before it: what the usual policy would drop too, or is younger
 * than a week, is no mistake, where restore points came as the schedule makes them.
 */
export function tooLarge(
  config: System,
  facts: PruneFacts,
  marks: Marks,
  points: readonly RestorePoint[],
): LifeboatError | undefined {
  const sinceMs = lastPruneMs(facts.places);
  const newest = newestNumber(facts.places);
  const before = facts.places.flatMap(({ generations }) => generations.get(newest)?.tombstones ?? []);
  const isNew = (id: string) => marks.tombstones.has(id) && !before.some((tombstones) => tombstones.has(id));
  const isFirst = sinceMs === 0 && keepsPace(config, points);
  const usual = isFirst ? usuallyDropped(points, Math.max(...facts.places.map(({ nowMs }) => nowMs))) : new Set();
  const dropped = marks.withdrawn.filter(({ key, needs }) => isNew(needs.manifest[0]) && !usual.has(key)).length;
  const added = sinceMs === 0 ? 0 : points.filter(({ storedMs }) => storedMs > sinceMs).length;
  const tooMany = dropped > Math.max(Math.ceil(points.length * mostShare), added);
  for (const { packs } of facts.places) {
    let [total, freed, fresh] = [0, 0, 0];
    for (const { sizeBytes, modifiedMs } of packs.values()) {
      total += sizeBytes;
      if (sinceMs !== 0 && modifiedMs > sinceMs) fresh += sizeBytes;
    }
    for (const id of marks.tombstones) if (isNew(id)) freed += packs.get(id)?.sizeBytes ?? 0;
    // Of a first prune the restore points tell: their bytes follow.
    if (!tooMany && (isFirst || freed <= Math.max(total * mostShare, fresh))) continue;
    return pruneTooLarge({ what: largeText(dropped, points.length, freed, total) });
  }
  return undefined;
}

/** One run takes every dataset. */
function strictestInterval({ datasets }: System): number {
  return intervalFor(Math.min(...Object.values(datasets).map(({ rpoMs }) => rpoMs)));
}

/** Whether no hour, by the stores' clocks, brought more restore points than twice the schedule and two by hand. */
function keepsPace(config: System, points: readonly RestorePoint[]): boolean {
  const most = 2 * Math.ceil(hourMs / strictestInterval(config)) + 2;
  const byDataset = Map.groupBy(points, ({ record }) => `${record.system} ${record.dataset}`);
  return [...byDataset.values()].every((own) => {
    const times = own.map(({ storedMs }) => storedMs).sort((a, b) => a - b);
    return times.every((timeMs, at) => (times[at + most] ?? Number.POSITIVE_INFINITY) - timeMs > hourMs);
  });
}

const youngMs = 7 * dayMs;

/** Keys of the restore points that a first prune drops without a question. */
function usuallyDropped(points: readonly RestorePoint[], nowMs: number): ReadonlySet<string> {
  const timed = points.map((point) => ({ point, timeMs: Date.parse(point.record.time) }));
  const byDataset = Map.groupBy(timed, ({ point: { record } }) => `${record.system} ${record.dataset}`);
  const dropped = [...byDataset.values()].flatMap((own) =>
    keepSet(own, defaultRetention, nowMs).filter(({ keep }) => !keep),
  );
  const young = timed.filter(({ timeMs }) => timeMs > nowMs - youngMs);
  return new Set([...dropped.map(({ point }) => point), ...young].map(({ point }) => point.key));
}
