import type { System } from '../config/system.ts';
import { configurationDataset } from '../core/configuration-dataset.ts';
import { defaultRetention, keepSet } from '../core/retention.ts';
import type { RestorePoint, VaultReader } from '../vault/vault.ts';

/** What the retention of a system says about its restore points. Nothing is deleted by making this plan. */
export interface RetentionPlan {
  readonly datasets: readonly DatasetPlan[];
  /** Bytes of stored objects that no kept restore point of any dataset or system needs. */
  readonly freedBytes: number;
  readonly freedObjects: number;
  /** Records that could not be read: nothing may be deleted while their needs are unknown. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

export interface DatasetPlan {
  readonly dataset: string;
  /** Newest first. */
  readonly points: readonly PlannedPoint[];
}

interface PlannedPoint {
  readonly point: RestorePoint;
  readonly keep: boolean;
  /** The rules that keep it. */
  readonly reasons: readonly string[];
}

/**
 * Datasets that the configuration no longer names are kept whole: no policy speaks about them. Its own restore points, one for
 * each change, are kept as a dataset that says nothing of its retention; they come last, and only where there are any.
 */
export async function planRetention(system: System, vault: VaultReader, nowMs: number): Promise<RetentionPlan> {
  const { points, suspect } = await vault.restorePoints();
  const planned = Object.entries(system.datasets).map(([dataset, config]) => ({
    dataset,
    points: planDataset(points, system.name, dataset, config.retention, nowMs),
  }));
  const configuration = planDataset(points, system.name, configurationDataset, defaultRetention, nowMs);
  const datasets =
    configuration.length === 0 ? planned : [...planned, { dataset: configurationDataset, points: configuration }];
  const dropped = new Set(datasets.flatMap((plan) => plan.points.filter((one) => !one.keep).map((one) => one.point)));
  return { datasets, suspect, ...freedBy(points, dropped) };
}

function planDataset(
  points: readonly RestorePoint[],
  system: string,
  dataset: string,
  retention: Parameters<typeof keepSet>[1],
  nowMs: number,
): PlannedPoint[] {
  const own = points
    .filter(({ record }) => record.dataset === dataset && record.system === system)
    .map((point) => ({ point, timeMs: Date.parse(point.record.time) }));
  return keepSet(own, retention, nowMs).map(({ point: { point }, keep, reasons }) => ({ point, keep, reasons }));
}

function freedBy(points: readonly RestorePoint[], dropped: ReadonlySet<RestorePoint>) {
  const needed = new Set<string>();
  for (const point of points) {
    if (!dropped.has(point)) for (const [id] of objectsOf(point)) needed.add(id);
  }
  const freed = new Map<string, number>();
  for (const point of dropped) {
    for (const [id, sizeBytes] of objectsOf(point)) if (!needed.has(id)) freed.set(id, sizeBytes);
  }
  let freedBytes = 0;
  for (const sizeBytes of freed.values()) freedBytes += sizeBytes;
  return { freedBytes, freedObjects: freed.size };
}

function objectsOf({ record }: RestorePoint): ReadonlyArray<readonly [string, number]> {
  return [...record.packs, record.manifest];
}
