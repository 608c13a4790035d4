import type { Run } from '../../core/run.ts';
import { newestOrNone } from '../../vault/trust.ts';
import type { RestorePoint, VaultReader } from '../../vault/vault.ts';
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
  readonly points: ReadonlyMap<string, RestorePoint>;
  /** Records that were not believed, one sentence each. */
  readonly suspect: readonly string[];
}

/** The newest restore point of each dataset of `system`, or the newest that is not younger than `atMs`. */
export async function findPoints(
  vault: VaultReader,
  system: string,
  datasets: readonly string[],
  atMs: number | undefined,
  run: Run,
): Promise<Found> {
  const points = new Map<string, RestorePoint>();
  const suspect: string[] = [];
  for (const dataset of datasets) {
    run.signal.throwIfAborted();
    const found = await vault.restorePoints(dataset);
    suspect.push(...found.suspect.map(({ key, why }) => `${key} was not believed: ${why}`));
    for (const { key, doubts } of found.points) {
      const why = doubts.map((doubt) => doubt.why).join(', ');
      if (why !== '') suspect.push(`${key} was not believed: ${why}`);
    }
    const own = found.points.filter(({ record }) => record.system === system);
    const point = newestOrNone(own, dataset, atMs);
    if (point !== undefined) points.set(dataset, point);
  }
  return { points, suspect };
}

/** The consistent moment that a restore point brings back, milliseconds since 1970 UTC. */
export function timeOf(point: RestorePoint): number {
  return Date.parse(point.record.time);
}
