import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isBelow } from '../core/below.ts';
import { pathsOf } from '../sources/engines.ts';
import { destinationInsideSource, destinationsOverlap, sourceInsideDestination } from './errors.ts';
import type { DatasetConfig, DestinationConfig } from './system.ts';

/**
 * Refuses a destination inside a source, a source inside a destination, and destinations that share a folder. Compares real
 * paths: a symbolic link hides neither. What does not exist yet is judged by the nearest folder that does.
 */
export function refuseNesting(
  destinations: Readonly<Record<string, DestinationConfig>>,
  datasets: Readonly<Record<string, DatasetConfig>>,
): void {
  const places = Object.entries(destinations).flatMap(([name, destination]) => {
    if (destination.type !== 'local') return [];
    const { path } = destination;
    return [{ name, path, real: realPath(path) }];
  });
  for (const [at, one] of places.entries()) {
    for (const other of places.slice(at + 1)) {
      if (isBelow(other.real, one.real))
        throw destinationsOverlap({ one: one.name, other: other.name, path: other.path });
      if (isBelow(one.real, other.real))
        throw destinationsOverlap({ one: one.name, other: other.name, path: one.path });
    }
  }
  for (const [dataset, config] of Object.entries(datasets)) {
    for (const sourcePath of pathsOf(config)) {
      const source = realPath(sourcePath);
      for (const { name, path, real } of places) {
        const fact = { destination: name, destinationPath: path, dataset, sourcePath };
        if (isBelow(real, source)) throw destinationInsideSource(fact);
        if (isBelow(source, real)) throw sourceInsideDestination(fact);
      }
    }
  }
}

/** With every symbolic link followed, as far as the path exists. */
export function realPath(path: string): string {
  const missing: string[] = [];
  let here = path;
  for (;;) {
    try {
      return join(realpathSync(here), ...missing);
    } catch {
      const parent = dirname(here);
      if (parent === here) return path;
      missing.unshift(basename(here));
      here = parent;
    }
  }
}
