import { configurationDataset } from '../../core/configuration-dataset.ts';
import { freedBy } from '../../retention/index.ts';
import { writerId } from '../../vault/format/index.ts';
import type { WithNeeds } from '../../vault/hold/index.ts';
import { newestOrNone, pointsOf, type RestorePoint, type VaultReader } from '../../vault/index.ts';

/** What a vault tells without any key. */
export interface Survey {
  readonly vault: string;
  readonly systems: readonly SurveyedSystem[];
  /** Records that could not be read or believed. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

export interface SurveyedSystem {
  readonly system: string;
  readonly datasets: readonly SurveyedDataset[];
  /** The newest copy of lifeboat.yaml; null when the vault holds none that is believed. */
  readonly configuration: { readonly id: string; readonly time: string } | null;
  readonly writers: readonly SurveyedWriter[];
  /** Of all objects that its restore points need. */
  readonly storedBytes: number;
}

interface SurveyedDataset {
  readonly dataset: string;
  readonly kind: string;
  readonly restorePoints: number;
  /** Null when none is believed. */
  readonly newest: { readonly id: string; readonly time: string; readonly sizeBytes: number } | null;
}

export interface SurveyedWriter {
  /** Ed25519, base64. */
  readonly key: string;
  /** As keys of the vault name it, hex. */
  readonly id: string;
  readonly restorePoints: number;
  readonly since: string;
  readonly until: string;
}

export async function survey(vault: VaultReader): Promise<Survey> {
  const { points: found, suspect } = await vault.pointsOfAll();
  const points = await vault.withNeeds(found);
  const systems = [...new Set(points.map(({ record }) => record.system))].sort();
  return {
    vault: vault.id,
    systems: systems.map((system) => surveySystem(system, pointsOf(system, points))),
    suspect,
  };
}

function surveySystem(system: string, points: ReadonlyArray<WithNeeds<RestorePoint>>): SurveyedSystem {
  const names = [...new Set(points.map(({ record }) => record.dataset))].filter(
    (name) => name !== configurationDataset,
  );
  const configuration = newestOrNone(points, configurationDataset)?.record;
  const { freedBytes: storedBytes } = freedBy(points, new Set());
  return {
    system,
    datasets: names.sort().map((dataset) => surveyDataset(dataset, points)),
    configuration: configuration === undefined ? null : { id: configuration.id, time: configuration.time },
    writers: writersOf(points),
    storedBytes,
  };
}

function surveyDataset(dataset: string, all: readonly RestorePoint[]): SurveyedDataset {
  const points = all.filter(({ record }) => record.dataset === dataset);
  const newest = newestOrNone(points, dataset)?.record;
  return {
    dataset,
    kind: points.at(-1)?.record.kind ?? '',
    restorePoints: points.length,
    newest: newest === undefined ? null : { id: newest.id, time: newest.time, sizeBytes: newest.sizes.logical },
  };
}

function writersOf(points: readonly RestorePoint[]): SurveyedWriter[] {
  const byKey = new Map<string, RestorePoint[]>();
  for (const point of points) byKey.set(point.record.writer, [...(byKey.get(point.record.writer) ?? []), point]);
  return [...byKey].map(([key, own]) => {
    const times = own.map(({ record }) => record.time).sort();
    return { key, id: writerId(key), restorePoints: own.length, since: times[0]!, until: times.at(-1)! };
  });
}
