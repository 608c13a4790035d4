import { parseRecordKey, type SnapshotRecord } from './format/record.ts';
import type { RestorePoints } from './vault.ts';

/** One vault may serve several systems, each with datasets of the same names. */
export function pointsOf<Point extends { readonly record: Pick<SnapshotRecord, 'system'> }>(
  system: string,
  points: readonly Point[],
): Point[] {
  return points.filter(({ record }) => record.system === system);
}

/** The same of all that was found: what cannot be read belongs to the system that its name says. */
export function foundOf(system: string, { points, suspect }: RestorePoints): RestorePoints {
  return {
    points: pointsOf(system, points),
    suspect: suspect.filter(({ key }) => parseRecordKey(key)?.system === system),
  };
}
