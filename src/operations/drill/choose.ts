import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import {
  chooseNewest,
  type PassedOver,
  type RestorePoint,
  restorePointDoubtful,
  restorePointMissing,
  tellPassedOver,
  type VaultReader,
} from '../../vault/index.ts';
import { noSuchDataset } from '../errors.ts';
import type { DrillOptions, DrillParts } from './parts.ts';

export interface Scope {
  readonly datasets: readonly string[];
  /** Datasets that this drill leaves out, each with its written reason. */
  readonly left: ReadonlyArray<{ readonly dataset: string; readonly reason: string }>;
}

/** @throws `dataset-unknown` */
export function scopeOf(system: DrillParts['system'], options: DrillOptions): Scope {
  const all = Object.keys(system.datasets);
  for (const dataset of options.datasets) {
    if (!all.includes(dataset)) throw noSuchDataset({ dataset, known: all });
  }
  const left = all.flatMap((dataset) => {
    if (options.datasets.includes(dataset)) return [];
    const skipped = system.drill.skip.find(({ what }) => what === dataset);
    if (skipped !== undefined) return [{ dataset, reason: skipped.reason }];
    return options.datasets.length === 0 ? [] : [{ dataset, reason: 'not chosen for this drill' }];
  });
  return { datasets: all.filter((dataset) => !left.some((one) => one.dataset === dataset)), left };
}

export interface Found {
  /** Of the system, all that there are, oldest first. */
  readonly all: readonly RestorePoint[];
  readonly points: ReadonlyMap<string, RestorePoint>;
  /** By dataset: newer restore points that were not believed. */
  readonly passedOver: ReadonlyMap<string, readonly PassedOver[]>;
  /** What to say of datasets that have no restore point that is believed. */
  readonly missing: ReadonlyMap<string, string>;
}

/**
 * The newest restore point of each dataset of `system`, or the newest that is not younger than `atMs`.
 * @throws `restore-point-missing` where none is as old as that: a date that was mistaken says nothing about a backup.
 */
export async function findPoints(
  vault: VaultReader,
  system: string,
  datasets: readonly string[],
  atMs: number | undefined,
  run: Run,
): Promise<Found> {
  const own = await vault.of(system).restorePoints();
  const points = new Map<string, RestorePoint>();
  const passedOver = new Map<string, readonly PassedOver[]>();
  const missing = new Map<string, string>();
  const errors: unknown[] = [];
  for (const dataset of datasets) {
    run.signal.throwIfAborted();
    try {
      const choice = chooseNewest(own, dataset, atMs);
      points.set(dataset, choice.point);
      passedOver.set(dataset, choice.passedOver);
      tellPassedOver(choice.passedOver, run);
    } catch (error) {
      if (!restorePointMissing.is(error) && !restorePointDoubtful.is(error)) throw error;
      missing.set(dataset, sentenceOf(error));
      errors.push(error);
    }
  }
  const isTooEarly = atMs !== undefined && own.points.length > 0 && points.size === 0;
  if (isTooEarly && errors.every((error) => restorePointMissing.is(error))) throw errors[0];
  return { all: own.points, points, passedOver, missing };
}

/** The consistent moment that a restore point brings back, milliseconds since 1970 UTC. */
export function timeOf(point: RestorePoint): number {
  return Date.parse(point.record.time);
}
