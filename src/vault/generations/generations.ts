import type { Destination } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import type { Generation } from '../format/generation.ts';
import { listHeld } from '../hold/listing.ts';
import type { Trust } from '../trust.ts';
import { readBelieved } from './believed.ts';

/** The prunes of a vault, for who only looks: one listing of each destination, and nothing read that is not asked for. */
export interface Generations {
  /** By number, newest first: when each was first stored, by the earliest of the stores' clocks. Not yet known to be sound. */
  readonly storedMs: ReadonlyMap<number, number>;
  /** False when a destination could not be listed: there may be others. */
  readonly isAll: boolean;
  /** Undefined when no copy of it can be read and believed. */
  read(number: number): Promise<Generation | undefined>;
}

export async function listGenerations(
  destinations: readonly Destination[],
  { vault, trust }: { readonly vault: string; readonly trust: Trust },
): Promise<Generations> {
  const found = new Map<number, { destination: Destination; trace: Trace }[]>();
  let isAll = true;
  for (const destination of destinations) {
    try {
      for await (const [{ generation }, trace] of listHeld(destination, ['generation'])) {
        found.set(generation, [...(found.get(generation) ?? []), { destination, trace }]);
      }
    } catch {
      // Why it fails is told where its records are read.
      isAll = false;
    }
  }
  const newestFirst = [...found].sort(([a], [b]) => b - a);
  return {
    isAll,
    storedMs: new Map(
      newestFirst.map(([number, held]) => [number, Math.min(...held.map(({ trace }) => trace.modifiedMs))]),
    ),
    async read(number) {
      for (const { destination, trace } of found.get(number) ?? []) {
        try {
          return (await readBelieved(destination, trace, number, { vault, trust })).value;
        } catch {
          // Another copy may be sound.
        }
      }
      return undefined;
    },
  };
}

/** The number of the newest that any of the places holds; 0 where there is none. */
export function newestNumber(places: ReadonlyArray<{ readonly generations: ReadonlyMap<number, unknown> }>): number {
  return Math.max(0, ...places.flatMap(({ generations }) => [...generations.keys()]));
}
