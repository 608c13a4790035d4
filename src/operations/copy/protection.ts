import type { DestinationConfig, System } from '../../config/system.ts';
import { keepSet } from '../../core/retention.ts';
import { manifestKey, packKey } from '../../vault/format/keys.ts';
import type { RestorePoint } from '../../vault/vault.ts';

/** The destinations without which no restore point is protected. */
export function requiredNames(destinations: Readonly<Record<string, DestinationConfig>>): string[] {
  return Object.entries(destinations).flatMap(([name, { required }]) => (required ? [name] : []));
}

/** The required destinations that do not hold a restore point yet; it is protected when there are none. */
export function missingFor(
  destinations: Readonly<Record<string, DestinationConfig>>,
  heldBy: readonly string[],
): string[] {
  return requiredNames(destinations).filter((name) => !heldBy.includes(name));
}

/** How far a destination is behind the others. */
export interface Lag {
  readonly destination: string;
  /** Restore points that others hold, that the retention keeps, and that it lacks. */
  readonly restorePoints: number;
  /** What they need that no restore point there needs. At most: some of it may have been sent already. */
  readonly bytes: number;
  readonly objects: number;
  /** Since when it lacks the newest of some dataset, milliseconds since 1970 UTC; absent when it only has older gaps. */
  readonly sinceMs?: number;
}

/**
 * What each of `names` lacks of what the others hold. Restore points that retention no longer keeps are not missed: a prune
 * removes them from one place after the other.
 */
export function lagsOf(
  system: Pick<System, 'datasets'>,
  points: readonly RestorePoint[],
  names: readonly string[],
  nowMs: number,
): Lag[] {
  const wanted = wantedPoints(system, points, nowMs);
  return names.flatMap((destination) => {
    const held = points.filter(({ destinations }) => destinations.includes(destination));
    const missing = wanted.filter(({ destinations }) => !destinations.includes(destination) && destinations.length > 0);
    if (missing.length === 0) return [];
    const there = new Set(held.flatMap(objectsOf).map(([key]) => key));
    const lacking = new Map(missing.flatMap(objectsOf).filter(([key]) => !there.has(key)));
    const sinceMs = missing
      .filter((point) => isNewerThanAll(point, held))
      .reduce((first, { record }) => Math.min(first, Date.parse(record.time)), Number.POSITIVE_INFINITY);
    return [
      {
        destination,
        restorePoints: missing.length,
        // The record itself is one object more.
        objects: lacking.size + missing.length,
        bytes: [...lacking.values()].reduce((sum, size) => sum + size, 0),
        ...(Number.isFinite(sinceMs) && { sinceMs }),
      },
    ];
  });
}

function wantedPoints({ datasets }: Pick<System, 'datasets'>, points: readonly RestorePoint[], nowMs: number) {
  const known = new Set(Object.keys(datasets));
  const kept = Object.entries(datasets).flatMap(([dataset, { retention }]) => {
    const own = points
      .filter(({ record, doubts }) => record.dataset === dataset && doubts.length === 0)
      .map((point) => ({ point, timeMs: Date.parse(point.record.time) }));
    return keepSet(own, retention, nowMs).flatMap(({ point: { point }, keep }) => (keep ? [point] : []));
  });
  return [...kept, ...points.filter(({ record, doubts }) => !known.has(record.dataset) && doubts.length === 0)];
}

function isNewerThanAll({ record }: RestorePoint, held: readonly RestorePoint[]): boolean {
  return held.every((one) => one.record.dataset !== record.dataset || one.record.time < record.time);
}

function objectsOf({ record }: RestorePoint): (readonly [string, number])[] {
  return [
    [manifestKey(record.manifest[0]), record.manifest[1]],
    ...record.packs.map(([id, size]) => [packKey(id), size] as const),
  ];
}
