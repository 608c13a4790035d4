import type { Key } from '../../destinations/destination.ts';
import type { LogFloor } from '../format/generation.ts';
import { createIds, type Ids } from '../format/ids.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { writerId } from '../format/signing.ts';
import { newestNumber } from '../generations/index.ts';
import { chainGaps, type Gap } from '../hold/chain.ts';
import { createIdSet, type IdSet, type SomeIds } from '../hold/id-set.ts';
import type { Needs } from '../hold/needs.ts';
import { allRules, graceMs, leastAgeMs, type PruneRules } from '../prune-rules.ts';
import { decideFloors, floorsOfOthers, floorsSince, type LogFacts, logsToGo, mergedFloors } from './logs.ts';
import type { Place } from './place.ts';

/** A restore point, as far as a prune must know it. */
export interface PrunePoint {
  readonly key: Key;
  /** Names of the places where it was read. */
  readonly at: readonly string[];
  /** SHA-256 (hex) of the record as stored: the next record of its writer names it. */
  readonly hash: string;
  readonly record: Pick<
    SnapshotRecord,
    'id' | 'system' | 'dataset' | 'writer' | 'generation' | 'previous' | 'time' | 'position'
  >;
  readonly needs: Needs;
  /** Nobody who is known signed it. It stays, and decides nothing about what known writers stored. */
  readonly strange?: boolean;
}

/** All that a decision rests on: read first, decided without any I/O. */
export interface PruneFacts {
  /** Destinations in reach. */
  readonly places: readonly Place[];
  /** Names of destinations that are configured and cannot be read now. */
  readonly outOfReach: readonly string[];
  readonly points: readonly PrunePoint[];
  /** Keys of the records that retention keeps. */
  readonly kept: ReadonlySet<Key>;
  /** Of them, those that a pin holds. */
  readonly pinned: ReadonlySet<Key>;
  /** Packs that are mostly dead. */
  readonly sparse: ReadonlySet<string>;
  /** Hashes of records that earlier prunes have said to remove: their absence is no gap. */
  readonly removed: ReadonlySet<string>;
  /** Ids of writers that will never write again. */
  readonly retired: ReadonlySet<string>;
  /** Ids of the writers that are known; everyone's count when absent. */
  readonly known?: ReadonlySet<string>;
  /** Whether this prune decides about that system: of another's, what its own prunes said stays said. Absent: about all. */
  readonly decides?: (system: string) => boolean;
  /** Absent: there are no covers, and this prune speaks for all. */
  readonly logs?: LogFacts;
}

/** What the next generation says. */
export interface Marks {
  readonly tombstones: SomeIds;
  readonly sparse: SomeIds;
  readonly logs: readonly LogFloor[];
  /** Restore points that go. */
  readonly withdrawn: readonly PrunePoint[];
  /** Ids marked before that a restore point needs now: they stay, and no writer uses them again. */
  readonly takenBack: readonly string[];
}

function neededBy(points: Iterable<PrunePoint>, ids: Ids): IdSet {
  const needed = createIdSet(ids);
  for (const { needs } of points) needed.addNeeds(needs);
  return needed;
}

/** One count of ids for a whole decision: that of the restore points, which name most of them. */
function idsIn(points: readonly PrunePoint[]): Ids {
  return points[0]?.needs.packs.ids ?? createIds();
}

/**
 * What to mark: what no kept restore point needs, once it is old by the store's clock; what was marked before and is not
 * gone from everywhere yet; and the manifests of the restore points that go, by which everyone knows that they are withdrawn.
 */
export function decideMarks(facts: PruneFacts, rules: PruneRules = allRules): Marks {
  const { places, points, outOfReach } = facts;
  const ids = idsIn(points);
  const ours = points.filter(({ strange }) => !strange);
  const marked = marksOf(places, newestNumber(places), ids);
  const kept = stillKept(facts, marked.tombstones);
  const staying = ours.filter(({ key }) => kept.has(key));
  const needed = neededBy(staying, ids);
  // No two writers share a pack: what a known one's record names is judged by known writers' records alone.
  const strangers = points.filter(({ strange }) => strange);
  const ofStrangers = neededBy(strangers, ids);
  const ofOurs = strangers.length === 0 ? needed : neededBy(ours, ids);
  const isTheirs = (number: number) => ofStrangers.hasNumber(number) && !ofOurs.hasNumber(number);
  // A forged record can name the manifest of a restore point that is kept: to withdraw it would withdraw both.
  const withdrawn = ours.filter(({ key, needs }) => !kept.has(key) && !needed.has(needs.manifest[0]));
  const tombstones = neededBy(withdrawn, ids).without(needed);
  for (const { packs, manifests, lists, nowMs } of places) {
    const markOld = (number: number, modifiedMs: number) => {
      if (nowMs - modifiedMs < leastAgeMs || needed.hasNumber(number) || isTheirs(number)) return;
      tombstones.addNumber(number);
    };
    packs.eachIn(ids, markOld);
    for (const [id, { modifiedMs }] of [...manifests, ...lists]) markOld(ids.add(id), modifiedMs);
  }
  const takenBack: string[] = [];
  for (const id of marked.tombstones) {
    if (needed.has(id)) takenBack.push(id);
    else if (outOfReach.length > 0 || isAnywhere(places, id)) tombstones.add(id);
  }
  const rests = rules.takenBackRests ? takenBack : [];
  const unused = [...facts.sparse, ...marked.sparse, ...rests];
  const sparse = new Set(unused.filter((id) => needed.has(id) && isAnywhere(places, id)));
  const logs = mergedFloors(decideFloors(facts), floorsOfOthers(facts));
  return { tombstones, sparse, logs, withdrawn, takenBack };
}

/**
 * Where systems share a vault, each has its own prunes, and every one names what is marked in all of it: else none would find its marks again.
 * That a restore point of another system goes is taken over where the newest generation says so, and the ledger, by who may; not of one
 * that was pinned since: its own prune would take the mark back.
 */
function stillKept({ points, kept, pinned, removed, decides }: PruneFacts, marked: SomeIds): ReadonlySet<Key> {
  if (decides === undefined) return kept;
  const gone = points.filter(
    ({ key, hash, needs, record }) =>
      !decides(record.system) && removed.has(hash) && marked.has(needs.manifest[0]) && !pinned.has(key),
  );
  return kept.difference(new Set(gone.map(({ key }) => key)));
}

function isAnywhere(places: readonly Place[], id: string): boolean {
  return places.some(({ packs, manifests, lists }) => packs.has(id) || manifests.has(id) || lists.has(id));
}

/** What the generation says. Where two prunes met, what either says. */
function marksOf(places: readonly Place[], number: number, ids: Ids): { tombstones: SomeIds; sparse: SomeIds } {
  const found = places.flatMap(({ generations }) => generations.get(number) ?? []);
  return {
    tombstones: createIdSet(
      ids,
      found.values().flatMap(({ tombstones }) => tombstones),
    ),
    sparse: createIdSet(
      ids,
      found.values().flatMap(({ sparse }) => sparse),
    ),
  };
}

export interface Waiting {
  /** Ids of writers whose newest record is older than what was marked. */
  readonly writers: readonly string[];
  /** When the next marks are old enough, by the store's clock. */
  readonly graceUntilMs?: number;
  /** A writer's record is missing; it may be at a destination that is out of reach. */
  readonly gaps: readonly Gap[];
}

export interface SweepPlan {
  /** Records first. */
  readonly records: ReadonlyArray<{ readonly key: Key; readonly needs: Needs }>;
  /** Then manifests, lists and packs, unless a record that could not be removed needs them. */
  readonly manifests: readonly string[];
  readonly lists: readonly string[];
  readonly packs: readonly string[];
  /** Keys of pieces of logs, and of covers. */
  readonly logs: readonly Key[];
  /** The newest generation that every writer has passed and whose grace is over; 0 when there is none. */
  readonly passed: number;
  readonly waiting: Waiting;
}

/**
 * What may be removed at one destination now: what each generation names from the newest that all writers have passed up to
 * the newest of all, and no record needs.
 * @param nowMs by the clock of this destination
 */
export function decideSweep(facts: PruneFacts, place: Place, nowMs: number, rules: PruneRules = allRules): SweepPlan {
  const { places, points } = facts;
  const gaps = rules.noGaps ? chainGaps(points, facts.removed) : [];
  const behind = new Map(seenBy(facts, rules).filter(([writer]) => !facts.retired.has(writer)));
  const seen = rules.everyWriterPassed
    ? Math.min(Number.POSITIVE_INFINITY, ...behind.values())
    : Number.POSITIVE_INFINITY;
  const numbers = unbrokenFrom(places, newestNumber(places));
  const isOver = (number: number) => {
    const storedMs = place.generations.get(number)?.storedMs;
    return storedMs !== undefined && (!rules.grace || nowMs - storedMs >= graceMs);
  };
  const passed = gaps.length > 0 ? 0 : (numbers.find((number) => number <= seen && isOver(number)) ?? 0);
  const waiting: Waiting = { ...waitingFor(place, numbers, behind, nowMs), gaps };
  if (passed === 0) return { records: [], manifests: [], lists: [], packs: [], logs: [], passed, waiting };

  const since = numbers.filter((number) => number >= passed);
  const dead = deadSince(places, since);
  const isDead = ({ needs, strange }: PrunePoint) => !strange && dead.has(needs.manifest[0]);
  // What only strangers need was never marked while they did; what was marked before is not theirs to take back.
  const needed = neededBy(
    points.filter((point) => rules.lookAgain && !point.strange && !isDead(point)),
    idsIn(points),
  );
  const goes = (id: string) => dead.has(id) && !needed.has(id);
  const records = points
    // One that came after the listing is known by having been read.
    .filter((point) => isDead(point) && (place.records.has(point.key) || point.at.includes(place.destination.name)))
    .map(({ key, needs }) => ({ key, needs }));
  return {
    records,
    manifests: [...place.manifests.keys().filter(goes)],
    lists: [...place.lists.keys().filter(goes)],
    packs: [...place.packs.keys().filter(goes)],
    logs: logsToGo(facts, place, floorsSince(places, passed), rules),
    passed,
    waiting,
  };
}

/** By id of the writer, the newest generation that one of its records says it has seen. */
function seenBy({ points, places, known }: PruneFacts, rules: PruneRules): [string, number][] {
  const seen = new Map<string, number>();
  const keys = new Map<string, number>();
  const newest = newestNumber(places);
  for (const { record, strange } of points) {
    if (strange) continue;
    // Nobody has seen what does not exist: that record says nothing true about its writer.
    const generation = record.generation <= newest ? record.generation : 0;
    keys.set(record.writer, Math.max(keys.get(record.writer) ?? 0, generation));
  }
  for (const [key, number] of keys) seen.set(writerId(key), number);
  if (rules.newWriters) {
    const isNew = (writer: string) => !seen.has(writer) && known?.has(writer) !== false;
    for (const { indexes } of places) for (const writer of indexes.keys()) if (isNew(writer)) seen.set(writer, 0);
  }
  return [...seen];
}

/** The least that is free everywhere: strangers and damage may have taken some. */
export function nextNumber(places: readonly Place[]): number {
  let number = newestNumber(places) + 1;
  while (places.some(({ taken }) => taken.has(number))) number++;
  return number;
}

/** Newest first, as long as none is missing. One that was never a prune's, or can never be read again, is not missed. */
function unbrokenFrom(places: readonly Place[], newest: number): number[] {
  const numbers: number[] = [];
  for (let number = newest; number > 0; number--) {
    if (places.some(({ generations }) => generations.has(number))) numbers.push(number);
    else if (!places.some(({ taken }) => taken.has(number))) break;
  }
  return numbers;
}

/** The ids that each of these generations names; where two prunes met, that both name. */
function deadSince(places: readonly Place[], numbers: readonly number[]): Pick<SomeIds, 'has'> {
  const sets = numbers.flatMap((number) =>
    places.flatMap(({ generations }) => generations.get(number)?.tombstones ?? []),
  );
  return { has: (id) => sets.length > 0 && sets.every((set) => set.has(id)) };
}

function waitingFor(
  place: Place,
  numbers: readonly number[],
  behind: ReadonlyMap<string, number>,
  nowMs: number,
): Omit<Waiting, 'gaps'> {
  const newest = numbers[0];
  if (newest === undefined) return { writers: [] };
  const writers = [...behind].filter(([, number]) => number < newest).map(([writer]) => writer);
  const ends = numbers
    .map((number) => (place.generations.get(number)?.storedMs ?? nowMs) + graceMs)
    .filter((endMs) => endMs > nowMs);
  return { writers: writers.sort(), ...(ends.length > 0 && { graceUntilMs: Math.min(...ends) }) };
}
