import { dayMs, formatDuration, minuteMs } from '../core/duration.ts';
import { ulidTime } from '../core/ulid.ts';
import { recordHash, type SnapshotRecord } from './format/record.ts';
import type { RestorePoint } from './vault.ts';

/** Whose signatures count. */
export interface Trust {
  /** Ed25519 public keys, base64. Absent: everyone's, as on a machine that meets the vault for the first time. */
  readonly writers?: ReadonlySet<string>;
  /** Of these, who may say that something goes. Absent: every known one. */
  readonly pruners?: ReadonlySet<string>;
}

export function isKnownWriter({ writers }: Trust, writer: string): boolean {
  return writers === undefined || writers.has(writer);
}

export function mayPrune(trust: Trust, writer: string): boolean {
  return isKnownWriter(trust, writer) && (trust.pruners === undefined || trust.pruners.has(writer));
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
const aheadToleranceMs = 15 * minuteMs;
/** An upload that takes longer is rarer than a record that was made up for a past day. */
const lateToleranceMs = dayMs;

/** Judges all records of a vault together, in the order of their believable times, oldest first. */
export function judge(vault: string, found: readonly FoundRecord[], trust: Trust): RestorePoint[] {
  const timed = found.map((one) => ({ ...one, ...timesOf(vault, one) }));
  const chain = chainOf(timed);
  const points = timed.map(({ clocks: _, witnessMs, earliestMs, ...one }): RestorePoint & { orderMs: number } => {
    const { record, storedMs } = one;
    const doubts: Doubt[] = [];
    if (!isKnownWriter(trust, record.writer)) {
      doubts.push({ code: 'writer-unknown', why: `it is signed by ${record.writer}, which is no known writer` });
    }
    const odd = chain.oddities(record);
    if (odd.forked) doubts.push({ code: 'chain-forked', why: 'its writer had gone on from an earlier record already' });
    if (odd.replayed) doubts.push({ code: 'replayed', why: 'it repeats the contents of another record' });
    const aheadMs = statedMs(record) - storedMs;
    const isAhead = earliestMs !== undefined && aheadMs > aheadToleranceMs;
    if (isAhead) {
      doubts.push({ code: 'time-ahead', why: `it is dated ${formatDuration(aheadMs)} after the moment it was stored` });
    }
    const lateMs = latenessOf(record, witnessMs, earliestMs, odd.any);
    if (lateMs > lateToleranceMs) {
      doubts.push({
        code: 'stored-late',
        why: `it was stored ${formatDuration(lateMs)} after the time that it states`,
      });
    }
    return { ...one, doubts, orderMs: isAhead ? storedMs : Date.parse(record.time) };
  });
  points.sort((a, b) => a.orderMs - b.orderMs || (a.record.id < b.record.id ? -1 : 1));
  return points.map(({ orderMs: _, ...point }) => point);
}

export function isDoubtful(point: Pick<RestorePoint, 'doubts'>): boolean {
  return point.doubts.length > 0;
}

/** The later of the moment captured and the moment committed: neither can lie after it was stored. */
function statedMs({ time, committed }: SnapshotRecord): number {
  return Math.max(Date.parse(time), Date.parse(committed));
}

/** Destinations that show a time before the vault was made have no clock to speak of. */
function timesOf(vault: string, { clocks }: FoundRecord) {
  const madeMs = ulidTime(vault) - aheadToleranceMs;
  const believed = clocks.filter(({ storedMs }) => storedMs >= madeMs);
  const earliest = (some: readonly StoreClock[]) =>
    some.length === 0 ? undefined : Math.min(...some.map(({ storedMs }) => storedMs));
  const witnessMs = earliest(believed.filter(({ isWitness }) => isWitness));
  const earliestMs = earliest(believed);
  return { witnessMs, earliestMs, storedMs: witnessMs ?? earliestMs ?? earliest(clocks) ?? madeMs };
}

/**
 * By how much it was stored later than it says. A copy to a new destination stores old records late, so the earliest time of
 * all destinations counts; but a time that whoever writes can set counts only for a record that fits into its chain.
 */
function latenessOf(
  { committed }: SnapshotRecord,
  witnessMs: number | undefined,
  earliestMs: number | undefined,
  isOdd: boolean,
): number {
  const storedMs = isOdd ? (witnessMs ?? earliestMs) : earliestMs;
  return storedMs === undefined ? 0 : storedMs - Date.parse(committed);
}

interface TimedRecord {
  readonly record: SnapshotRecord;
  readonly key: string;
  readonly storedMs: number;
}

/** What the writers' chains say of each record. */
function chainOf(found: readonly TimedRecord[]) {
  const byHash = new Map(found.map((one) => [recordHash(one.record), one]));
  const isFirst = (of: (record: SnapshotRecord) => string) => {
    const first = new Map<string, TimedRecord>();
    for (const one of found) {
      const known = first.get(of(one.record));
      if (known === undefined || comesBefore(one, known)) first.set(of(one.record), one);
    }
    return (record: SnapshotRecord) => first.get(of(record))?.record === record;
  };
  const leads = isFirst(({ writer, previous }) => `${writer} ${previous}`);
  const holds = isFirst(({ manifest }) => manifest[0]);
  return {
    oddities(record: SnapshotRecord) {
      const before = record.previous === null ? undefined : byHash.get(record.previous);
      const gap = record.previous !== null && before === undefined;
      const backwards = before !== undefined && Date.parse(before.record.committed) > Date.parse(record.committed);
      const forked = !leads(record);
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
