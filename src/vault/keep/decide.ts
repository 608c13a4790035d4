import { dayMs } from '../../core/duration.ts';
import { largestOf } from '../../core/extremes.ts';
import type { Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import { createIds } from '../format/ids.ts';
import { isHashed, type LogSpan, packKey, parseKey } from '../format/keys.ts';
import type { LogBase } from '../format/record.ts';
import { namedByRecord, partsTogether, type WithNeeds } from '../hold/needs.ts';
import { historyName, historyOfSpan } from '../logs/floors.ts';
import type { RestorePoint } from '../vault.ts';

/** A restore point that retention keeps. */
export interface KeptRestorePoint {
  readonly point: Pick<WithNeeds<RestorePoint>, 'key' | 'needs'>;
  /** Until then it surely stays; absent where nobody can say. */
  readonly staysMs?: number;
  /** From where on it needs the log of its dataset. */
  readonly base?: LogBase;
}

/** How long one object shall be locked. */
export interface LockNeed {
  readonly key: Key;
  /** What the records say of it; absent for small objects. */
  readonly sizeBytes?: number;
  /** Up to where a lock is extended. */
  readonly untilMs: number;
  /** A lock that ends later than this is enough, and costs no request. */
  readonly enoughMs: number;
}

export interface LockClock {
  /** By the store's clock. */
  readonly nowMs: number;
  /** How long the place locks what is stored. */
  readonly birthMs: number;
}

/** Locks end at the turn of a week, so that an object is not extended by an hour for every restore point that needs it. */
const stepMs = 7 * dayMs;
/** No lock is made longer at once: a mistake, or a forged retention, must not cost years. */
const longestMs = 400 * dayMs;

/** What shall be locked, by key. A vault may have a million packs: of those two numbers are held, not an object with a key. */
export interface LockNeeds {
  readonly size: number;
  get(key: Key): LockNeed | undefined;
  /** The same, and from then on it is not among them. */
  take(key: Key): LockNeed | undefined;
  all(): Iterable<LockNeed>;
}

/**
 * What shall be locked, and how long. Everything that a kept restore point needs is locked, from now on, for as long as if it had
 * been stored now, and up to the time when the restore point surely goes; small objects as long as the longest of them; pieces of logs,
 * and their covers, as long as the longest of those that begin before their end. A lock with half of that time left is let be.
 */
export function lockNeeds(
  kept: readonly KeptRestorePoint[],
  smallObjects: Iterable<Key>,
  clock: LockClock,
  logs: Iterable<readonly [Key, LogSpan]> = [],
): LockNeeds {
  const needs = createLockNeeds(kept, clock);
  if (kept.length === 0) return needs;
  const longest = largestOf(kept, ({ staysMs = 0 }) => staysMs, 0);
  // The index saves an upload and no restore point: it need not outlive the newest of them.
  for (const key of smallObjects) needs.add(key, parseKey(key)?.type === 'index' ? 0 : longest);
  const staysFor = staysOfLogs(kept);
  for (const [key, span] of logs) {
    const staysMs = staysFor(span);
    if (staysMs !== undefined) needs.add(key, staysMs);
  }
  return needs;
}

interface LockNeedsDraft extends LockNeeds {
  add(key: Key, staysMs: number): void;
}

/** With what these restore points need. How long a pack is needed follows from its lists, each of which is walked once. */
function createLockNeeds(kept: readonly KeptRestorePoint[], clock: LockClock): LockNeedsDraft {
  const small = new Map<Key, { readonly staysMs: number; readonly sizeBytes: number | undefined }>();
  const ids = kept[0]?.point.needs.packs.ids ?? createIds();
  // Who stays longest comes first, and says of each of its objects what holds.
  const points = kept
    .map(({ point: { key, needs }, staysMs = 0 }) => ({ key, needs, staysMs }))
    .sort((a, b) => b.staysMs - a.staysMs);
  const parts = [...partsTogether(points, ids)];
  /** By number of the pack; a size of 0 is none. */
  const [sizes, stays] = [new Uint32Array(ids.size), new Float64Array(ids.size)];
  let packs = 0;

  function add(key: Key, staysMs: number, sizeBytes?: number): void {
    if (staysMs > (small.get(key)?.staysMs ?? -1)) small.set(key, { staysMs, sizeBytes });
  }

  function addPack(number: number, staysMs: number, sizeBytes: number): void {
    if (sizes[number] !== 0) return;
    packs++;
    sizes[number] = sizeBytes;
    stays[number] = staysMs;
  }

  for (const { key, needs, staysMs } of points) {
    add(key, staysMs);
    for (const [named, sizeBytes] of namedByRecord(needs)) add(named, staysMs, sizeBytes);
  }
  for (const [part, { staysMs }] of parts) part.each((number, sizeBytes) => addPack(number, staysMs, sizeBytes));

  const numberOf = (key: Key) => {
    const parsed = parseKey(key);
    const number = parsed?.type === 'pack' ? ids.find(parsed.id) : undefined;
    return number !== undefined && (sizes[number] ?? 0) > 0 ? number : undefined;
  };
  const needOfPack = (key: Key, number: number) => needOf(key, sizes[number], stays[number]!, clock);
  const get = (key: Key) => {
    const known = small.get(key);
    if (known !== undefined) return needOf(key, known.sizeBytes, known.staysMs, clock);
    const number = numberOf(key);
    return number === undefined ? undefined : needOfPack(key, number);
  };
  return {
    get size() {
      return small.size + packs;
    },
    add,
    get,
    take(key) {
      const need = get(key);
      if (need === undefined || small.delete(key)) return need;
      packs--;
      sizes[numberOf(key)!] = 0;
      return need;
    },
    *all() {
      for (const [key, { staysMs, sizeBytes }] of small) yield needOf(key, sizeBytes, staysMs, clock);
      for (const [number, sizeBytes] of sizes.entries()) {
        if (sizeBytes > 0) yield needOfPack(packKey(ids.idOf(number)), number);
      }
    },
  };
}

/** How long a piece of a log is needed, or a cover; undefined: not at all. There may be thousands of pieces, and of bases. */
function staysOfLogs(kept: readonly KeptRestorePoint[]): (span: LogSpan) => number | undefined {
  const based = kept.flatMap(({ base, staysMs = 0 }) => (base === undefined ? [] : [{ base, staysMs }]));
  const histories = Map.groupBy(based, ({ base }) => historyName(base));
  for (const own of histories.values()) {
    own.sort((a, b) => (a.base.log < b.base.log ? -1 : 1));
    // Of those up to there, the longest.
    for (const [at, one] of own.entries()) one.staysMs = Math.max(one.staysMs, own[at - 1]?.staysMs ?? 0);
  }
  return (span) => {
    const own = histories.get(historyOfSpan(span)) ?? [];
    let [from, to] = [0, own.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (own[middle]!.base.log < span.end) from = middle + 1;
      else to = middle;
    }
    return own[from - 1]?.staysMs;
  };
}

function needOf(key: Key, sizeBytes: number | undefined, staysMs: number, { nowMs, birthMs }: LockClock): LockNeed {
  const capMs = nowMs + longestMs;
  const surelyMs = Math.min(staysMs, capMs);
  const untilMs = Math.min(Math.ceil(Math.max(nowMs + birthMs, surelyMs) / stepMs) * stepMs, capMs);
  const enoughMs = Math.max(nowMs + birthMs / 2, surelyMs - stepMs);
  return { key, ...(sizeBytes !== undefined && { sizeBytes }), untilMs, enoughMs };
}

/** Objects that every restore point of the vault relies on, or that tell its history. */
export function isKeptSmall(key: Key): boolean {
  const parsed = parseKey(key);
  return parsed !== undefined && !isHashed(parsed) && parsed.type !== 'snapshot' && parsed.type !== 'cover';
}

/** So many versions of one object are locked at most: more of them are somebody's attempt to make locks cost. */
const mostVersions = 3;

/**
 * The versions of which one is the sound one: the oldest, of the right size where it is known. Which of several it is, only their
 * bytes tell, and a keeper does not read those.
 */
export function versionsToLock({ versions }: Trace, { sizeBytes }: LockNeed): string[] {
  return versions
    .filter((version) => sizeBytes === undefined || version.sizeBytes === sizeBytes)
    .slice(0, mostVersions)
    .map(({ version }) => version);
}
