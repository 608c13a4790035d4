import type { DatasetConfig } from '../config/system.ts';
import { type Allowance, type Measured, rowsOf, samplesOf, type Weighed, weigh } from '../core/anomalies.ts';
import type { Expectations } from '../core/expectations.ts';
import { type Acceptance, dataLost } from '../ledger/acceptances.ts';
import { engineOf } from '../sources/engines.ts';
import type { SnapshotRecord } from '../vault/format/index.ts';
import { isDoubtful, pointsOf, type RestorePoint } from '../vault/index.ts';

/** What the rule needs to know of one dataset, besides its restore points. */
export interface Settled {
  /** Ids of restore points that a drill proved. */
  readonly proved: readonly string[];
  readonly acceptances: readonly Acceptance[];
}

export function allowanceOf(config: DatasetConfig): Allowance {
  const { type, mayBeEmpty } = config;
  const mayShrink = (config.mayShrink ?? []).map(({ table }) => table);
  return { holds: engineOf(type).holds, mayBeEmpty: mayBeEmpty !== undefined, mayShrink };
}

export function measuredOf(record: SnapshotRecord, expectations?: Expectations): Measured {
  const { logical: bytes, entries } = record.sizes;
  const known = expectations && { rows: rowsOf(expectations), samples: samplesOf(expectations) };
  return { id: record.id, timeMs: Date.parse(record.time), bytes, entries, ...known };
}

/** The restore points of a dataset up to `last`, oldest first, with the rows of those that this host knows. Doubtful ones say nothing. */
export function measuredPoints(
  points: readonly RestorePoint[],
  last: RestorePoint,
  known: { readonly points: readonly Measured[] },
): Measured[] {
  const { dataset, system } = last.record;
  const here = new Map(known.points.map((point) => [point.id, point]));
  const own = pointsOf(system, points).filter((point) => {
    const { record } = point;
    if (record.dataset !== dataset || record.id === last.record.id) return false;
    return !isDoubtful(point) && record.time <= last.record.time;
  });
  return [...own, last].map(({ record }) => {
    const { rows, samples, altered } = here.get(record.id) ?? {};
    return { ...measuredOf(record), ...(rows && { rows }), ...(samples && { samples }), ...(altered && { altered }) };
  });
}

/** The later of the last that was proved and the last that was accepted. */
export function settledOf(
  points: readonly Measured[],
  dataset: string,
  { proved, acceptances }: Settled,
): string | undefined {
  const accepted = acceptances.filter((one) => one.dataset === dataset && one.code === dataLost);
  const ids = new Set([...proved, ...accepted.map(({ point }) => point)]);
  return points.findLast(({ id }) => ids.has(id))?.id;
}

export function weighPoints(points: readonly Measured[], config: DatasetConfig, settled: Settled): Weighed {
  return weigh(points, settledOf(points, config.name, settled), allowanceOf(config));
}
