import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { firstSound, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { decodeGeneration, type Generation } from '../format/generation.ts';
import { parseKey } from '../format/keys.ts';
import { isKnownWriter, type Trust } from '../trust.ts';
import { allRules, type PruneRules } from './rules.ts';

/** What the newest generation says, as far as one can see. Number 0: there was no prune yet. */
export interface GenerationView {
  readonly number: number;
  /** Will be deleted: ids of packs, and of manifests, whose restore points are withdrawn. */
  readonly tombstones: ReadonlySet<string>;
  /** Mostly dead: their live chunks are stored anew. */
  readonly sparse: ReadonlySet<string>;
}

const nothingPruned: GenerationView = { number: 0, tombstones: new Set(), sparse: new Set() };

export interface ReadViewOptions {
  readonly vault: string;
  readonly trust: Trust;
  /** The newest one that was seen before: a destination that lags must not set anyone back. */
  readonly remembered?: GenerationView | undefined;
  /** A destination that cannot be asked. */
  readonly onFailure: (destination: Destination, error: unknown) => void;
  /** A generation that cannot be believed: it is passed over. */
  readonly onSuspect: (destination: Destination, key: string, error: unknown) => void;
}

/**
 * The newest generation over `destinations`. Two that have the same number (two prunes met) count together, so that a writer
 * heeds both.
 */
export async function readView(
  destinations: readonly Destination[],
  { vault, trust, remembered = nothingPruned, onFailure, onSuspect }: ReadViewOptions,
): Promise<GenerationView> {
  let view = remembered;
  for (const destination of destinations) {
    try {
      for (const [number, trace] of await generationsAt(destination)) {
        if (number < view.number) break;
        try {
          const { value } = await firstSound(destination, trace, (bytes) => believed(bytes, vault, number, trust));
          view = number > view.number ? viewOf(value) : union(view, viewOf(value));
          break;
        } catch (error) {
          if (objectMissing.is(error)) continue;
          if (isOfTheDestination(error)) throw error;
          onSuspect(destination, trace.key, error);
        }
      }
    } catch (error) {
      onFailure(destination, error);
    }
  }
  return view;
}

/** Newest first. */
async function generationsAt(destination: Destination): Promise<[number, Trace][]> {
  const found: [number, Trace][] = [];
  for await (const trace of tracesUnder(destination, 'gc/')) {
    const parsed = parseKey(trace.key);
    if (parsed?.type === 'generation') found.push([parsed.generation, trace]);
  }
  return found.sort(([a], [b]) => b - a);
}

/** Throws what is wrong with it. */
export function believed(bytes: Uint8Array, vault: string, number: number, trust: Trust): Generation {
  const generation = decodeGeneration(bytes);
  if (generation.vault !== vault || generation.generation !== number) throw new Error('it belongs elsewhere');
  if (!isKnownWriter(trust, generation.writer)) {
    throw new Error(`it is signed by ${generation.writer}, which is no known writer`);
  }
  return generation;
}

function viewOf({ generation, tombstones, sparse }: Generation): GenerationView {
  return { number: generation, tombstones: new Set(tombstones), sparse: new Set(sparse) };
}

function union(a: GenerationView, b: GenerationView): GenerationView {
  return { number: a.number, tombstones: a.tombstones.union(b.tombstones), sparse: a.sparse.union(b.sparse) };
}

/** Whether it is the destination that failed, not one object in it. */
export function isOfTheDestination(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('destination-');
}

/** Whether a writer that has this view may use the chunks of a pack again. */
export function mayReuse(view: GenerationView, pack: string, rules: PruneRules = allRules): boolean {
  return !rules.writerHeeds || !(view.tombstones.has(pack) || view.sparse.has(pack));
}

/** The packs that keep a restore point from being committed: withdrawn while it was made, or not held any more. */
export function withdrawnOf(
  view: GenerationView,
  packs: Iterable<string>,
  isHeld: (pack: string) => boolean,
  rules: PruneRules = allRules,
): string[] {
  return [...packs].filter((pack) => (rules.writerHeeds && view.tombstones.has(pack)) || !isHeld(pack));
}

/** Whether what a writer knows of the destinations is older than this view: then it must list them again. */
export function mustLookAnew(view: GenerationView, lookedAt: number, rules: PruneRules = allRules): boolean {
  return rules.writerLooksAnew && view.number > lookedAt;
}
