import type { DestinationConfig, System } from '../../config/system.ts';
import { keepSet } from '../../core/retention.ts';
import { createIdSet } from '../../vault/id-set.ts';
import type { NeedsReader } from '../../vault/needs.ts';
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
export async function lagsOf(
  system: Pick<System, 'datasets'>,
  points: readonly RestorePoint[],
  names: readonly string[],
  nowMs: number,
  withNeeds: NeedsReader,
): Promise<Lag[]> {
  const wanted = wantedPoints(system, points, nowMs);
  const lags: Lag[] = [];
  for (const destination of names) {
    const held = points.filter(({ destinations }) => destinations.includes(destination));
    const missing = wanted.filter(({ destinations }) => !destinations.includes(destination) && destinations.length > 0);
    if (missing.length === 0) continue;
    const lacking = await lackingFor(missing, held, withNeeds);
    const sinceMs = missing
      .filter((point) => isNewerThanAll(point, held))
      .reduce((first, { record }) => Math.min(first, Date.parse(record.time)), Number.POSITIVE_INFINITY);
    // The record itself is one object more.
    const objects = lacking.objects + missing.length;
    const since = { ...(Number.isFinite(sinceMs) && { sinceMs }) };
    lags.push({ destination, restorePoints: missing.length, objects, bytes: lacking.bytes, ...since });
  }
  return lags;
}

async function lackingFor(missing: readonly RestorePoint[], held: readonly RestorePoint[], withNeeds: NeedsReader) {
  const wanted = await withNeeds(missing);
  const there = createIdSet(wanted[0]!.needs.packs.ids);
  for (const { needs } of await withNeeds(held)) there.addNeeds(needs);
  let [objects, bytes] = [0, 0];
  for (const { needs } of wanted) {
    for (const [id, sizeBytes] of there.beyond(needs)) {
      there.add(id);
      objects++;
      bytes += sizeBytes;
    }
  }
  return { objects, bytes };
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
