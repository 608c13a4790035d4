import type { DestinationConfig } from '../config/system.ts';
import type { PruneLedger } from '../ledger/decisions.ts';
import { recordHash } from '../vault/format/index.ts';
import { createIdSet, type NeedsReader } from '../vault/hold/index.ts';
import type { RestorePoint } from '../vault/index.ts';

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

interface LagFacts {
  readonly points: readonly RestorePoint[];
  /** Of the destinations that answer. */
  readonly names: readonly string[];
  /** Keys of the restore points that stay, as a prune would decide it. */
  readonly kept: ReadonlySet<string>;
  readonly ledger: Pick<PruneLedger, 'removed'>;
  readonly withNeeds: NeedsReader;
}

/** Whether one of the destinations lacks a restore point that another has, kept or not. */
export function isLagging({ points, names }: Pick<LagFacts, 'points' | 'names'>): boolean {
  return points.some(
    ({ destinations }) => destinations.length > 0 && names.some((name) => !destinations.includes(name)),
  );
}

/**
 * What each destination lacks of what the others hold. Restore points that retention no longer keeps, or that a prune has decided about,
 * are not missed: they go from one place after the other. One that is pinned, or kept by `--keep`, is.
 */
export async function lagsOf({ points, names, kept, ledger, withNeeds }: LagFacts): Promise<Lag[]> {
  const wanted = points.filter(
    ({ key, record, doubts }) => kept.has(key) && doubts.length === 0 && !ledger.removed.has(recordHash(record)),
  );
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
  for (const [id, sizeBytes] of there.beyond(wanted.map(({ needs }) => needs))) {
    there.add(id);
    objects++;
    bytes += sizeBytes;
  }
  return { objects, bytes };
}

function isNewerThanAll({ record }: RestorePoint, held: readonly RestorePoint[]): boolean {
  return held.every((one) => one.record.dataset !== record.dataset || one.record.time < record.time);
}
