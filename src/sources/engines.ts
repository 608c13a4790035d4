import type { Engine, EngineDataset, Place, Surroundings } from './engine.ts';
import { engines } from './registry.ts';
import type { Source } from './source.ts';

/** The engine of a kind that the configuration, or a restore point, names. */
export function engineOf(kind: string): Engine {
  const engine = engineOrNone(kind);
  if (engine === undefined) throw new Error(`there is no engine for datasets of type ${kind}`);
  return engine;
}

/** A restore point may be of a kind that a later version of this program knows. */
export function engineOrNone(kind: string): Engine | undefined {
  return engines.find((one) => one.kind === kind);
}

/** Kinds of datasets that can do something: `sqlite or postgres`. */
export function kindsThat(can: (engine: Engine) => boolean): string[] {
  return engines.filter(can).map(({ kind }) => kind);
}

/** Makes the source of a dataset. */
export function openSource(name: string, dataset: EngineDataset, surroundings: Surroundings = {}): Promise<Source> {
  return engineOf(dataset.type).open(name, dataset, surroundings);
}

export function placeOf(dataset: EngineDataset): Place {
  return engineOf(dataset.type).placeOf(dataset);
}

/** What a dataset takes from this host's file system. */
export function pathsOf(dataset: EngineDataset): readonly string[] {
  const place = placeOf(dataset);
  return 'path' in place ? (place.parts ?? [place.path]) : [];
}
