import type { Destination } from '../../destinations/destination.ts';
import { formatNewer } from '../format/errors.ts';
import type { Generation } from '../format/generation.ts';
import { recordHash, type SnapshotRecord } from '../format/record.ts';
import { type Floors, floorsOf, inAny } from '../logs/floors.ts';
import { allRules, type PruneRules } from '../prune-rules.ts';
import { mayPrune, type Trust } from '../trust.ts';
import { believedOf, generationsAt } from './believed.ts';

/** What the newest generation says, as far as one can see. Number 0: there was no prune yet. */
export interface GenerationView {
  readonly number: number;
  /** Will be deleted: ids of packs and lists, and of manifests, whose restore points are withdrawn. */
  readonly tombstones: ReadonlySet<string>;
  /** Mostly dead: their live chunks are stored anew. */
  readonly sparse: ReadonlySet<string>;
  /** How far logs are let go of, by who may prune their system. */
  readonly floors: Floors;
  /** Who signed it: two, where two prunes met. */
  readonly writers: readonly string[];
}

const nothingPruned: GenerationView = {
  ...{ number: 0, tombstones: new Set<string>(), sparse: new Set<string>() },
  ...{ floors: new Map<string, string>(), writers: [] },
};

export interface ReadViewOptions {
  readonly vault: string;
  readonly trust: Trust;
  /** The system of who asks: what was last said of its logs is sought further back, where another's prune came after it. */
  readonly system?: string;
  /** The newest one that was seen before: a destination that lags must not set anyone back. */
  readonly remembered?: GenerationView | undefined;
  /** A destination that cannot be asked. */
  readonly onFailure: (destination: Destination, error: unknown) => void;
  /**
   * One that is damaged, and how many more: they are passed over. So is one by somebody who may not prune, without a word. Where one is
   * for later programs only, that one.
   */
  readonly onSuspect: (destination: Destination, first: Passed, more: number) => void;
}

export interface Passed {
  readonly key: string;
  readonly error: unknown;
}

/**
 * The newest generation over `destinations`. Two that have the same number (two prunes met) count together, so that a writer
 * heeds both.
 */
export async function readView(
  destinations: readonly Destination[],
  { vault, trust, system, remembered = nothingPruned, onFailure, onSuspect }: ReadViewOptions,
): Promise<GenerationView> {
  let view = remembered;
  const newestAt = async (destination: Destination, least: number, seen: number, onPassed: OnPassed) => {
    const listed = await generationsAt(destination);
    const believedAmong = (isWanted: (number: number) => boolean) =>
      believedOf(
        destination,
        listed.filter(([number]) => isWanted(number)),
        { vault, trust },
        onPassed,
      );
    let candidate: GenerationView | undefined;
    for await (const value of believedAmong((number) => number >= least)) {
      if (candidate !== undefined && follows(candidate.number, value.generation)) return candidate;
      if (follows(value.generation, seen)) return viewOf(value, trust);
      candidate = viewOf(value, trust);
    }
    if (candidate === undefined) return undefined;
    // Only to see whether a number leaps is one looked at that is older than what is known.
    for await (const { generation } of believedAmong((number) => number < least)) {
      return follows(candidate.number, generation) ? candidate : undefined;
    }
    return seen === 0 && mayBegin(candidate.number) ? candidate : undefined;
  };
  const answered: Destination[] = [];
  for (const destination of destinations) {
    const passed: Passed[] = [];
    try {
      const newest = await newestAt(destination, view.number, remembered.number, (key, error) => {
        passed.push({ key, error });
      });
      if (newest !== undefined) view = newest.number > view.number ? newest : union(view, newest);
      const first = passed.find(({ error }) => formatNewer.is(error)) ?? passed[0];
      if (first !== undefined) onSuspect(destination, first, passed.length - 1);
      answered.push(destination);
    } catch (error) {
      onFailure(destination, error);
    }
  }
  if (system === undefined || view.number === 0 || speaksFor(system, view.writers, trust)) return view;
  const last = await lastFloors(answered, system, view.number, { vault, trust, onFailure });
  return { ...view, floors: inAny([remembered.floors, view.floors, ...last]) };
}

/** What was last said of a system's logs by who may prune it, before a prune of another system's. */
async function lastFloors(
  destinations: readonly Destination[],
  system: string,
  before: number,
  { vault, trust, onFailure }: Pick<ReadViewOptions, 'vault' | 'trust' | 'onFailure'>,
): Promise<Floors[]> {
  const found: Floors[] = [];
  for (const destination of destinations) {
    try {
      const listed = (await generationsAt(destination)).filter(([number]) => number < before);
      for await (const value of believedOf(destination, listed, { vault, trust }, () => {})) {
        if (!speaksFor(system, [value.writer], trust)) continue;
        found.push(viewOf(value, trust).floors);
        break;
      }
    } catch (error) {
      onFailure(destination, error);
    }
  }
  return found;
}

function speaksFor(system: string, writers: readonly string[], trust: Trust): boolean {
  return writers.some((writer) => mayPrune(trust, writer, system));
}

type OnPassed = (key: string, error: unknown) => void;

/**
 * Prunes take the next number that is free everywhere, so strangers can push one as far as they fill numbers, and a listing has room
 * for 250,000. Whoever leaps further would leave the others no numbers. What came before the first may have been removed.
 */
const mostLeap = 10_000_000;
const mostFirst = 1_000_000_000;

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
 * hashes of the records that those named in the ledger who may prune them, only where both say so: another system's prune may
 * have said it again.
 */
export function withdraws(
  view: GenerationView,
  record: SnapshotRecord,
  trust: Trust,
  removed?: ReadonlySet<string>,
): boolean {
  if (!view.tombstones.has(record.manifest[0])) return false;
  if (removed !== undefined) return removed.has(recordHash(record));
  return speaksFor(record.system, view.writers, trust);
}

function viewOf({ generation, tombstones, sparse, logs = [], writer }: Generation, trust: Trust): GenerationView {
  const floors = floorsOf(logs.filter(([system]) => mayPrune(trust, writer, system)));
  return { number: generation, tombstones: new Set(tombstones), sparse: new Set(sparse), floors, writers: [writer] };
}

function union(a: GenerationView, b: GenerationView): GenerationView {
  return {
    number: a.number,
    tombstones: a.tombstones.union(b.tombstones),
    sparse: a.sparse.union(b.sparse),
    floors: inAny([a.floors, b.floors]),
    writers: [...new Set([...a.writers, ...b.writers])],
  };
}

/** Whether a writer that has this view may use a list again, or the chunks of a pack. */
export function mayReuse(view: GenerationView, id: string, rules: PruneRules = allRules): boolean {
  return !rules.writerHeeds || !(view.tombstones.has(id) || view.sparse.has(id));
}

/** The packs and lists that keep a restore point from being committed: withdrawn while it was made, or not held any more. */
export function withdrawnOf(
  view: GenerationView,
  used: Iterable<string>,
  isHeld: (id: string) => boolean,
  rules: PruneRules = allRules,
): string[] {
  return [...used].filter((id) => (rules.writerHeeds && view.tombstones.has(id)) || !isHeld(id));
}

/** Whether what a writer knows of the destinations is older than this view: then it must list them again. */
export function mustLookAnew(view: GenerationView, lookedAt: number, rules: PruneRules = allRules): boolean {
  return rules.writerLooksAnew && view.number > lookedAt;
}
