import type { System } from '../config/system.ts';
import { weigh } from '../core/anomalies.ts';
import { configurationDataset } from '../core/configuration-dataset.ts';
import { dayMs, minuteMs } from '../core/duration.ts';
import { largestOf } from '../core/extremes.ts';
import { intervalFor } from '../core/objectives.ts';
import { defaultRetention, type Retention } from '../core/retention.ts';
import { emptyLedger, isRetiredWriter, type PruneLedger, settledKey } from '../ledger/decisions.ts';
import { createIds, writerId } from '../vault/format/index.ts';
import { createIdSet, type WithNeeds } from '../vault/hold/index.ts';
import { isDoubtful, isStrange, pointsOf, type RestorePoint, type RestorePoints } from '../vault/index.ts';
import { type Keepable, keptPoints, type Reason } from './kept-points.ts';
import { allowanceOf, measuredPoints } from './weigh.ts';

/** What the retention of a system says about its restore points. Nothing is deleted by making this plan. */
export interface RetentionPlan {
  readonly datasets: readonly DatasetPlan[];
  /** Records that could not be read: nothing may be deleted while their needs are unknown. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
  /** Keys of the records that stay, those of datasets and systems that no policy speaks about among them. */
  readonly kept: ReadonlySet<string>;
  /** Of them, those of any system that a pin holds. */
  readonly pinned: ReadonlySet<string>;
}

export interface DatasetPlan {
  readonly dataset: string;
  /** Newest first. */
  readonly points: readonly PlannedPoint[];
}

export interface PlannedPoint {
  readonly point: RestorePoint;
  readonly keep: boolean;
  /** The rules that keep it. */
  readonly reasons: readonly Reason[];
  /** About when it goes if backups go on, milliseconds since 1970 UTC; absent: nobody knows. */
  readonly goesMs?: number;
  /** Until then it surely stays. */
  readonly staysMs?: number;
}

/** A host's and a store's clock that are set differ by less, the upload of a record included. */
const clocksAgreeMs = 5 * minuteMs;

export interface PlanOptions {
  readonly ledger?: PruneLedger;
  /** Names of destinations where a restore point lies whole; all that hold its record, unless something else is known. */
  readonly wholeAt?: (point: RestorePoint) => readonly string[];
  /** When the first of all destinations held its record, by its own clock. */
  readonly firstStoredMs?: (point: RestorePoint) => number | undefined;
  /** By the stores' clocks; the newest record tells when absent. */
  readonly nowMs?: number;
}

/**
 * Datasets that the configuration no longer names are kept whole: no policy speaks about them. Its own restore points, one for
 * each change, are kept as a dataset that says nothing of its retention; they come last, and only where there are any.
 */
export function planFor(system: System, { points, suspect }: RestorePoints, options: PlanOptions = {}): RetentionPlan {
  const nowMs = options.nowMs ?? largestOf(points, ({ storedMs }) => storedMs, 0);
  const pinned = pinnedIn(options.ledger ?? emptyLedger, nowMs);
  const ledger = pinsFirst(options.ledger ?? emptyLedger, pinned);
  const must = new Map<RestorePoint, string>([
    ...lastOfWriters(points, ledger).map((point) => [point, 'the newest of its writer'] as const),
    ...points.filter(isStrange).map((point) => [point, 'signed by no known writer'] as const),
  ]);
  const ours = Map.groupBy(pointsOf(system.name, points), ({ record }) => record.dataset);
  const mustOf = (dataset: string, own: readonly RestorePoint[]) => {
    const full = lastFull(system, dataset, own, ledger);
    if (full === undefined || ledger.erased.has(full.record.id) || must.has(full)) return must;
    return new Map([...must, [full, 'the last full one'] as const]);
  };
  const plan = (dataset: string, retention: Retention, intervalMs: number): DatasetPlan => {
    const found = ours.get(dataset) ?? [];
    const must = mustOf(dataset, found);
    const own = found.map((point) => keepableOf(point, { ...options, ledger }, must));
    return {
      dataset,
      points: keptPoints(own, retention, { nowMs, intervalMs }).map(({ point: { point }, ...kept }) => ({
        point,
        ...kept,
      })),
    };
  };
  const planned = Object.entries(system.datasets).map(([dataset, { retention, rpoMs }]) =>
    plan(dataset, retention, intervalFor(rpoMs)),
  );
  const configuration = plan(configurationDataset, defaultRetention, dayMs);
  const datasets = configuration.points.length === 0 ? planned : [...planned, configuration];
  const dropped = new Set(datasets.flatMap((one) => one.points.filter(({ keep }) => !keep).map(({ point }) => point)));
  const others = points.filter((point) => ledger.erased.has(point.record.id) && !must.has(point));
  for (const point of others) dropped.add(point);
  const kept = new Set(points.filter((point) => !dropped.has(point)).map(({ key }) => key));
  const held = points.filter(({ record }) => pinned.has(record.id));
  return { datasets, suspect, kept, pinned: new Set(held.map(({ key }) => key)) };
}

/**
 * What a restore point that lost most of its data must not push out: the last that was proved or accepted, and, where none was, the one
 * that the newest fell from. At most one of each dataset; it gives way once a later one is proved or accepted.
 */
function lastFull(
  { name, datasets }: System,
  dataset: string,
  own: readonly RestorePoint[],
  ledger: PruneLedger,
): RestorePoint | undefined {
  const config = datasets[dataset];
  const believed = own.filter((point) => !isDoubtful(point));
  const last = believed.at(-1);
  if (config === undefined || last === undefined) return undefined;
  const ids = new Set(ledger.settled.get(settledKey(name, dataset)));
  const settled = believed.findLast(({ record }) => ids.has(record.id));
  if (settled !== undefined) return settled;
  const weighed = weigh(measuredPoints(believed, last, { points: [] }), undefined, allowanceOf(config));
  return weighed.state === 'lost' ? believed.find(({ record }) => record.id === weighed.since.id) : undefined;
}

/** Ids of what a pin holds now. */
function pinnedIn({ pins }: PruneLedger, nowMs: number): ReadonlySet<string> {
  return new Set([...pins].flatMap(([id, { untilMs = Number.POSITIVE_INFINITY }]) => (untilMs > nowMs ? [id] : [])));
}

/** Whoever pins what another erases may not know of it: until one of them gives way, it stays. */
function pinsFirst(ledger: PruneLedger, pinned: ReadonlySet<string>): PruneLedger {
  return { ...ledger, erased: ledger.erased.difference(pinned) };
}

function keepableOf(
  point: RestorePoint,
  { ledger, wholeAt, firstStoredMs }: PlanOptions & { readonly ledger: PruneLedger },
  must: ReadonlyMap<RestorePoint, string>,
): Keepable & { readonly point: RestorePoint } {
  const { record, storedMs, doubts, destinations } = point;
  const whole = wholeAt?.(point) ?? destinations;
  const pin = ledger.pins.get(record.id);
  const reason = must.get(point);
  const stated = Date.parse(record.time);
  // Always the same clock at the same place of the list: times by different clocks are not compared.
  const otherTimesMs = [storedMs, firstStoredMs?.(point) ?? storedMs].map((ms) => {
    const offMs = ms - Date.parse(record.committed);
    return Math.abs(offMs) > clocksAgreeMs ? stated + offMs : stated;
  });
  const { until, class: className } = record.retention;
  return {
    point,
    timeMs: Math.min(stated, storedMs),
    ...(otherTimesMs.some((ms) => ms !== stated) && { otherTimesMs }),
    places: whole,
    counts: doubts.length === 0 && whole.length > 0,
    erased: ledger.erased.has(record.id),
    ...(until !== undefined && { untilMs: Date.parse(until) }),
    ...(until !== undefined && className !== 'standard' && { className }),
    ...(pin && { pin }),
    ...(reason !== undefined && { must: reason }),
  };
}

/**
 * The end of each writer's chain: it tells which prune that writer has seen, and that nothing was taken away behind it. One
 * that only retired writers have is as any other.
 */
export function lastOfWriters(points: readonly RestorePoint[], ledger: PruneLedger): RestorePoint[] {
  const last = new Map<string, RestorePoint>();
  for (const point of points) {
    const { writer } = point.record;
    const known = last.get(writer);
    if (known === undefined || comesAfter(point, known)) last.set(writer, point);
  }
  return [...last].filter(([writer]) => !isRetiredWriter(ledger, writerId(writer), points)).map(([, point]) => point);
}

/** One that is believed comes after one that is not, whatever time that states. */
function comesAfter(a: RestorePoint, b: RestorePoint): boolean {
  const [aCounts, bCounts] = [a.doubts.length === 0, b.doubts.length === 0];
  if (aCounts !== bCounts) return aCounts;
  return a.storedMs === b.storedMs ? a.record.id > b.record.id : a.storedMs > b.storedMs;
}

/** What no restore point of any dataset or system needs once those that are not `kept` are gone. */
export function freedBy(
  points: ReadonlyArray<Pick<WithNeeds<RestorePoint>, 'key' | 'needs'>>,
  kept: ReadonlySet<string>,
): { readonly freedBytes: number; readonly freedObjects: number } {
  const needed = createIdSet(points[0]?.needs.packs.ids ?? createIds());
  for (const { key, needs } of points) if (kept.has(key)) needed.addNeeds(needs);
  const before = needed.size;
  let freedBytes = 0;
  const going = points.filter(({ key }) => !kept.has(key)).map(({ needs }) => needs);
  for (const [id, sizeBytes] of needed.beyond(going)) {
    freedBytes += sizeBytes;
    // Counted once, whoever else needed it.
    needed.add(id);
  }
  return { freedBytes, freedObjects: needed.size - before };
}
