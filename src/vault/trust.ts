import { systemClock } from '../core/clock.ts';
import { dayMs, formatDuration, minuteMs } from '../core/duration.ts';
import { smallestOf } from '../core/extremes.ts';
import type { KnownWriter } from '../core/known-writer.ts';
import { ulidTime } from '../core/ulid.ts';
import type { ParsedKey } from './format/keys.ts';
import { recordHash, type SnapshotRecord } from './format/record.ts';
import { writerId } from './format/signing.ts';
import type { RestorePoint } from './vault.ts';

/** Ed25519 public keys, base64, each with the names of the systems that it speaks for. */
export type Keys = ReadonlyMap<string, ReadonlySet<string>>;

/** Whose signatures count. */
export interface Trust {
  /** Absent: everyone's, for every system, as on a machine that meets the vault for the first time. */
  readonly writers?: Keys;
  /** Those of `writers` that a person named without saying for which systems: settled when a vault is opened. */
  readonly bare?: ReadonlySet<string>;
  /** Who may say that something goes, and nothing else unless it is a known writer too. Absent: every known one. */
  readonly pruners?: Keys;
  /** Who may sign what drills prove, known writer or not. Absent: every known one. */
  readonly drillers?: Keys;
}

export function isKnownWriter({ writers }: Trust, writer: string, system: string): boolean {
  return writers === undefined || writers.get(writer)?.has(system) === true;
}

/** The same by the writer's id, as object keys name it. */
export function knownById({ writers }: Trust): (id: string, system: string) => boolean {
  if (writers === undefined) return () => true;
  const byId = new Map([...writers].map(([key, systems]) => [writerId(key), systems]));
  return (id, system) => byId.get(id)?.has(system) === true;
}

/** Whether it counts for any system at all: for what belongs to the whole vault. */
export function isKnownKey({ writers }: Trust, writer: string): boolean {
  return writers === undefined || writers.has(writer);
}

export function mayPrune(trust: Trust, writer: string, system: string): boolean {
  const { pruners } = trust;
  return pruners === undefined ? isKnownWriter(trust, writer, system) : pruners.get(writer)?.has(system) === true;
}

/** Whether it may for any system: what it says of another's does not count all the same. */
export function isPruner(trust: Trust, writer: string): boolean {
  return trust.pruners === undefined ? isKnownKey(trust, writer) : trust.pruners.has(writer);
}

/** Also whether it may say that a loss was meant: then the next drill proves what is left. */
export function mayProve(trust: Trust, writer: string, system: string): boolean {
  const { drillers } = trust;
  return drillers === undefined ? isKnownWriter(trust, writer, system) : drillers.get(writer)?.has(system) === true;
}

/** Whether it is of the vault's people at all: what others sign stays where they put it, and is told of once. */
export function isOurs(trust: Trust, writer: string): boolean {
  return [trust.pruners, trust.drillers].some((keys) => keys?.has(writer)) || isKnownKey(trust, writer);
}

/** Whether the signature of an object counts. Records and grants are judged together with others, and not here. */
export function maySign(trust: Trust, parsed: ParsedKey, writer: string): boolean {
  if (parsed.type === 'cover') return isKnownWriter(trust, writer, parsed.system);
  return parsed.type === 'generation' ? isPruner(trust, writer) : isOurs(trust, writer);
}

/** The keys of a configuration, or of this host's memory, together. */
export function keysOf(known: Iterable<KnownWriter>): Keys {
  const keys = new Map<string, Set<string>>();
  for (const { key, systems } of known) {
    const before = keys.get(key);
    if (before === undefined) keys.set(key, new Set(systems));
    else for (const system of systems) before.add(system);
  }
  return keys;
}

/**
 * Settles for which system the keys count that a person named without saying so. Each host signs with a key of its own for each
 * system, so one that signed for two was taken over: it counts for the one that it signed for first, by the places that keep their
 * times to themselves where one shows any. docs/decisions/0035 says why.
 */
export function settled(vault: string, { bare, ...trust }: Trust, found: readonly FoundRecord[]): Trust {
  const { writers } = trust;
  if (bare === undefined || writers === undefined) return trust;
  const byWriter = Map.groupBy(found, ({ record }) => record.writer);
  const settle = (key: string, systems: ReadonlySet<string>): ReadonlySet<string> => {
    const home = bare.has(key) ? firstSystem(vault, byWriter.get(key) ?? []) : undefined;
    return home === undefined ? systems : new Set([home]);
  };
  return { ...trust, writers: new Map([...writers].map(([key, systems]) => [key, settle(key, systems)])) };
}

function firstSystem(vault: string, found: readonly FoundRecord[]): string | undefined {
  const madeMs = ulidTime(vault) - aheadToleranceMs;
  const seen = found
    .flatMap(({ record, clocks }) => clocks.map((clock) => ({ ...clock, record })))
    .filter(({ storedMs }) => storedMs >= madeMs);
  const witnessed = seen.filter(({ isWitness }) => isWitness);
  const [first] = (witnessed.length > 0 ? witnessed : seen).sort(
    (a, b) => a.storedMs - b.storedMs || a.record.sequence - b.record.sequence,
  );
  return first?.record.system;
}

/**
 * Why a restore point is not believed. It is kept, listed and can be restored by its id, but it is never the newest, nor does
 * it take another's place when retention counts.
 */
export interface Doubt {
  readonly code: 'time-ahead' | 'stored-late' | 'writer-unknown' | 'chain-forked' | 'replayed';
  /** A sentence's end, for people: what is odd. */
  readonly why: string;
}

/** A record as found, before it is judged. */
export interface FoundRecord {
  readonly record: SnapshotRecord;
  readonly key: string;
  readonly destinations: readonly string[];
  /** In the order of `destinations`. */
  readonly clocks: readonly StoreClock[];
}

/** When a destination first held the record. */
export interface StoreClock {
  /** By the store's clock, milliseconds since 1970 UTC. */
  readonly storedMs: number;
  /** The place keeps what was stored first, so whoever writes to it cannot change this time. */
  readonly isWitness: boolean;
}

/** Clocks of a host and of a store that are set at all differ by less; signed requests to S3 fail beyond it. */
export const aheadToleranceMs = 15 * minuteMs;
/** An upload that takes longer is rarer than a record that was made up for a past day. */
const lateToleranceMs = dayMs;

/**
 * Judges all records of a vault together, in the order of their believable times, oldest first. Known writers are judged among
 * themselves: what a stranger leaves beside them changes nothing about them. docs/decisions/0006 and 0012 say why the rules hold.
 * @param nowMs by this machine's clock
 */
export function judge(
  vault: string,
  found: readonly FoundRecord[],
  trust: Trust,
  nowMs: number = systemClock.now(),
): RestorePoint[] {
  const timed = found.map((one) => ({ ...one, ...timesOf(vault, one, nowMs) }));
  const isKnown = ({ record }: TimedRecord) => isKnownWriter(trust, record.writer, record.system);
  const chain = chainOf(timed.filter(isKnown));
  const points = timed.map((one): Ordered => {
    const { record, key, destinations, storedMs, clockMs, earlyAt } = one;
    const doubts: Doubt[] = [];
    const odd = isKnown(one) ? chain.oddities(record) : noOddities;
    if (!isKnown(one)) doubts.push({ code: 'writer-unknown', why: whyUnknown(trust, record) });
    if (odd.forked) doubts.push({ code: 'chain-forked', why: 'its writer had gone on from an earlier record already' });
    if (odd.replayed) doubts.push({ code: 'replayed', why: 'it repeats the contents of another record' });
    const aheadMs = statedMs(record) - clockMs;
    const isAhead = aheadMs > aheadToleranceMs;
    if (isAhead) {
      doubts.push({ code: 'time-ahead', why: `it is dated ${formatDuration(aheadMs)} after the moment it was stored` });
    }
    const lateMs = latenessOf(one, odd.any);
    if (lateMs > lateToleranceMs) {
      doubts.push({
        code: 'stored-late',
        why: `it was stored ${formatDuration(lateMs)} after the time that it states`,
      });
    }
    const orderMs = isAhead ? storedMs : Date.parse(record.time);
    return {
      record,
      key,
      destinations,
      storedMs,
      doubts,
      earlyAt: isAhead ? [] : earlyAt,
      rank: { ms: orderMs, id: record.id },
    };
  });
  return inOrder(points).map(({ rank: _, ...point }) => point);
}

interface Ordered extends RestorePoint {
  /** Among all: by the time, then by the id. */
  readonly rank: { readonly ms: number; readonly id: string };
}

/**
 * Oldest first. Where a writer's clock was set back, or ran behind for a while, what it counted later is newer all the same: by the
 * times alone the state before would be taken for the newest, and neither is doubtful.
 */
function inOrder(points: readonly Ordered[]): readonly Ordered[] {
  const histories = Map.groupBy(points, ({ record }) => `${record.writer} ${record.system} ${record.dataset}`);
  const ordered = [...histories.values()].flatMap((history) => {
    let next: Ordered | undefined;
    return history
      .sort((a, b) => b.record.sequence - a.record.sequence)
      .map((point): Ordered => {
        const placed = next !== undefined && byRank(point, next) > 0 ? { ...point, rank: next.rank } : point;
        if (!isDoubtful(point)) next = placed;
        return placed;
      });
  });
  // Who shares a rank has it from the later one of the same writer.
  return ordered.sort((a, b) => byRank(a, b) || a.record.sequence - b.record.sequence);
}

function byRank({ rank: a }: Ordered, { rank: b }: Ordered): number {
  if (a.ms !== b.ms) return a.ms - b.ms;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}

function whyUnknown(trust: Trust, { writer, system }: SnapshotRecord): string {
  const systems = trust.writers?.get(writer);
  return systems === undefined
    ? `it is signed by ${writer}, which is no known writer`
    : `it is signed by ${writer}, which is known for ${[...systems].sort().join(', ')} and not for ${system}`;
}

/** Nobody who is known signed it. */
export function isStrange({ doubts }: Pick<RestorePoint, 'doubts'>): boolean {
  return doubts.some(({ code }) => code === 'writer-unknown');
}

export function isDoubtful(point: Pick<RestorePoint, 'doubts'>): boolean {
  return point.doubts.length > 0;
}

/** The later of the moment captured and the moment committed: neither can lie after it was stored. */
function statedMs({ time, committed }: SnapshotRecord): number {
  return Math.max(Date.parse(time), Date.parse(committed));
}

interface Times {
  readonly witnessMs: number | undefined;
  readonly earliestMs: number | undefined;
  /** The latest that any clock shows: a record is ahead only of all of them. */
  readonly clockMs: number;
  /** When it was first stored, by the clocks that can be right. */
  readonly storedMs: number;
  /** Destinations that show it stored before it was made. */
  readonly earlyAt: readonly string[];
}

/**
 * Destinations that show a time before the vault was made, or one that is still to come, have no clock to speak of. Where none has,
 * this machine's own tells what is ahead.
 */
function timesOf(vault: string, { record, clocks, destinations }: FoundRecord, nowMs: number): Times {
  const madeMs = ulidTime(vault) - aheadToleranceMs;
  const believed = clocks.filter(({ storedMs }) => storedMs >= madeMs && storedMs <= nowMs + aheadToleranceMs);
  const earliest = (some: readonly StoreClock[]) =>
    some.length === 0 ? undefined : smallestOf(some, ({ storedMs }) => storedMs);
  const isWitness = (clock: StoreClock) => clock.isWitness;
  const isEarly = ({ storedMs }: StoreClock) => statedMs(record) - storedMs > aheadToleranceMs;
  // One that had it before it was made cannot be right while another fits.
  const fitting = believed.filter((clock) => !isEarly(clock));
  const right = fitting.length > 0 ? fitting : believed;
  return {
    witnessMs: earliest(believed.filter(isWitness)),
    earliestMs: earliest(believed),
    clockMs: believed.length === 0 ? nowMs : Math.max(...believed.map(({ storedMs }) => storedMs)),
    storedMs: earliest(right.filter(isWitness)) ?? earliest(right) ?? earliest(clocks) ?? madeMs,
    earlyAt: destinations.filter(
      (_, at) => clocks[at] !== undefined && believed.includes(clocks[at]) && isEarly(clocks[at]),
    ),
  };
}

/**
 * By how much it was stored later than it says. A copy to a new destination stores old records late, so the earliest time of
 * all destinations counts; but a time that whoever writes can set counts only for a record that fits into its chain.
 */
function latenessOf({ record, witnessMs, earliestMs }: TimedRecord, isOdd: boolean): number {
  const storedMs = isOdd ? (witnessMs ?? earliestMs) : earliestMs;
  return storedMs === undefined ? 0 : storedMs - Date.parse(record.committed);
}

type TimedRecord = FoundRecord & Times;

const noOddities = { forked: false, replayed: false, any: false };

/** What the writers' chains say of each record. */
function chainOf(found: readonly TimedRecord[]) {
  // Who wrote here before the other: where everyone is believed, a newcomer takes nothing from a writer that was there.
  const sinceMs = new Map<string, number>();
  for (const { record, storedMs } of found) {
    sinceMs.set(record.writer, Math.min(storedMs, sinceMs.get(record.writer) ?? storedMs));
  }
  const goesBefore = (a: TimedRecord, b: TimedRecord) => {
    const [aSince, bSince] = [sinceMs.get(a.record.writer)!, sinceMs.get(b.record.writer)!];
    return aSince === bSince ? comesBefore(a, b) : aSince < bSince;
  };
  const byHash = new Map(found.map((one) => [recordHash(one.record), one]));
  const isFirst = (of: (record: SnapshotRecord) => string) => {
    const first = new Map<string, TimedRecord>();
    for (const one of found) {
      const known = first.get(of(one.record));
      if (known === undefined || goesBefore(one, known)) first.set(of(one.record), one);
    }
    return (record: SnapshotRecord) => first.get(of(record))?.record === record;
  };
  const leads = isFirst(({ writer, previous }) => `${writer} ${previous}`);
  const counts = isFirst(({ writer, sequence }) => `${writer} ${sequence}`);
  const holds = isFirst(({ manifest }) => manifest[0]);
  return {
    oddities(record: SnapshotRecord) {
      const before = record.previous === null ? undefined : byHash.get(record.previous);
      const gap = record.previous !== null && before === undefined;
      const backwards = before !== undefined && Date.parse(before.record.committed) > Date.parse(record.committed);
      const isMiscounted = before !== undefined && before.record.sequence + 1 !== record.sequence;
      const forked = !leads(record) || !counts(record) || isMiscounted;
      const replayed = !holds(record);
      return { forked, replayed, any: gap || backwards || forked || replayed };
    },
  };
}

/** Of two that claim the same place: one whose stated time fits the store's clock, then the one stored first. */
function comesBefore(a: TimedRecord, b: TimedRecord): boolean {
  const fits = ({ record, storedMs }: TimedRecord) => {
    const lateMs = storedMs - Date.parse(record.committed);
    return lateMs <= lateToleranceMs && storedMs - statedMs(record) >= -aheadToleranceMs;
  };
  if (fits(a) !== fits(b)) return fits(a);
  return a.storedMs === b.storedMs ? a.key < b.key : a.storedMs < b.storedMs;
}
