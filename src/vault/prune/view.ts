import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { firstSound, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { formatNewer } from '../format/errors.ts';
import { decodeGeneration, type Generation } from '../format/generation.ts';
import { parseKey } from '../format/keys.ts';
import { recordHash, type SnapshotRecord } from '../format/record.ts';
import { readEnvelope } from '../format/signed-json.ts';
import { isPruner, mayPrune, type Trust } from '../trust.ts';
import { allRules, type PruneRules } from './rules.ts';

/** What the newest generation says, as far as one can see. Number 0: there was no prune yet. */
export interface GenerationView {
  readonly number: number;
  /** Will be deleted: ids of packs, and of manifests, whose restore points are withdrawn. */
  readonly tombstones: ReadonlySet<string>;
  /** Mostly dead: their live chunks are stored anew. */
  readonly sparse: ReadonlySet<string>;
  /** Who signed it: two, where two prunes met. */
  readonly writers: readonly string[];
}

const nothingPruned: GenerationView = { number: 0, tombstones: new Set(), sparse: new Set(), writers: [] };

export interface ReadViewOptions {
  readonly vault: string;
  readonly trust: Trust;
  /** The newest one that was seen before: a destination that lags must not set anyone back. */
  readonly remembered?: GenerationView | undefined;
  /** A destination that cannot be asked. */
  readonly onFailure: (destination: Destination, error: unknown) => void;
  /** A generation that is damaged: it is passed over. So is one by somebody who may not prune, without a word: `status` tells of those. */
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
  const read = async (destination: Destination, number: number, trace: Trace): Promise<GenerationView | undefined> => {
    try {
      const { value } = await firstSound(destination, trace, (bytes) => believed(bytes, vault, number, trust));
      return viewOf(value);
    } catch (error) {
      if (isOfTheDestination(error)) throw error;
      if (!objectMissing.is(error) && !(error instanceof Foreign)) onSuspect(destination, trace.key, error);
      return undefined;
    }
  };
  const newestAt = async (destination: Destination, least: number, seen: number) => {
    let candidate: GenerationView | undefined;
    for (const [number, trace] of await generationsAt(destination)) {
      // Only to see whether a number leaps is one looked at that is older than what is known.
      if (number < least && candidate === undefined) return undefined;
      const value = await read(destination, number, trace);
      if (value === undefined) continue;
      if (candidate !== undefined && follows(candidate.number, number)) return candidate;
      if (number < least) return undefined;
      if (follows(number, seen)) return value;
      candidate = value;
    }
    return candidate !== undefined && seen === 0 && mayBegin(candidate.number) ? candidate : undefined;
  };
  for (const destination of destinations) {
    try {
      const newest = await newestAt(destination, view.number, remembered.number);
      if (newest !== undefined) view = newest.number > view.number ? newest : union(view, newest);
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

/** Sound, and by somebody who may not prune: it says nothing. */
export class Foreign extends Error {}

/** @throws `Foreign`, or what is wrong with it */
export function believed(bytes: Uint8Array, vault: string, number: number, trust: Trust): Generation {
  const generation = decodedFor(bytes, trust);
  if (generation.vault !== vault || generation.generation !== number) throw new Error('it belongs elsewhere');
  if (!isPruner(trust, generation.writer)) throw foreign(generation.writer);
  return generation;
}

/** One that only later programs read is a matter for who heeds its signer. */
function decodedFor(bytes: Uint8Array, trust: Trust): Generation {
  try {
    return decodeGeneration(bytes);
  } catch (error) {
    const signer = formatNewer.is(error) ? readEnvelope('generation', bytes)?.writer : undefined;
    throw signer === undefined || isPruner(trust, signer) ? error : foreign(signer);
  }
}

function foreign(signer: string): Foreign {
  return new Foreign(`it is signed by ${signer}, which may not prune`);
}

/** Prunes count by one, and some are lost; whoever leaps would leave the others no numbers. */
const mostLeap = 1000;
const mostFirst = 1_000_000;

function follows(number: number, before: number): boolean {
  return number > before && number - before <= mostLeap;
}

function mayBegin(number: number): boolean {
  return number <= mostFirst;
}

/** Those that do not leap, of the numbers that believed generations have. */
export function plausible(numbers: Iterable<number>): ReadonlySet<number> {
  const kept = new Set<number>();
  let before: number | undefined;
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (before === undefined ? !mayBegin(number) : !follows(number, before)) break;
    kept.add(number);
    before = number;
  }
  return kept;
}

/**
 * Whether a prune withdraws this restore point: it names its manifest, and whoever signed it may prune that system. With `removed`,
 * hashes of the records that pruners named in the ledger, only where both say so.
 */
export function withdraws(
  view: GenerationView,
  record: SnapshotRecord,
  trust: Trust,
  removed?: ReadonlySet<string>,
): boolean {
  return (
    view.tombstones.has(record.manifest[0]) &&
    view.writers.some((writer) => mayPrune(trust, writer, record.system)) &&
    (removed === undefined || removed.has(recordHash(record)))
  );
}

function viewOf({ generation, tombstones, sparse, writer }: Generation): GenerationView {
  return { number: generation, tombstones: new Set(tombstones), sparse: new Set(sparse), writers: [writer] };
}

function union(a: GenerationView, b: GenerationView): GenerationView {
  return {
    number: a.number,
    tombstones: a.tombstones.union(b.tombstones),
    sparse: a.sparse.union(b.sparse),
    writers: [...new Set([...a.writers, ...b.writers])],
  };
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
