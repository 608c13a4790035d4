import { dayMs } from '../../core/duration.ts';
import type { Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import { isHashed, type LogSpan, parseKey } from '../format/keys.ts';
import type { LogBase } from '../format/record.ts';
import { allNeeded, type WithNeeds } from '../hold/needs.ts';
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
): Map<Key, LockNeed> {
  const needs = new Map<Key, LockNeed>();
  const need = (key: Key, sizeBytes: number | undefined, staysMs: number) => {
    const known = needs.get(key);
    const next = needOf(key, sizeBytes, staysMs, clock);
    if (known === undefined || known.untilMs < next.untilMs || known.enoughMs < next.enoughMs) {
      const [untilMs, enoughMs] = [
        Math.max(known?.untilMs ?? 0, next.untilMs),
        Math.max(known?.enoughMs ?? 0, next.enoughMs),
      ];
      needs.set(key, { ...next, untilMs, enoughMs });
    }
  };
  let longest = 0;
  for (const { point, staysMs = 0 } of kept) {
    longest = Math.max(longest, staysMs);
    need(point.key, undefined, staysMs);
    for (const [key, sizeBytes] of allNeeded(point.needs)) need(key, sizeBytes, staysMs);
  }
  if (kept.length === 0) return needs;
  // The index saves an upload and no restore point: it need not outlive the newest of them.
  for (const key of smallObjects) need(key, undefined, parseKey(key)?.type === 'index' ? 0 : longest);
  const based = kept.flatMap(({ base, staysMs = 0 }) => (base === undefined ? [] : [{ base, staysMs }]));
  for (const [key, span] of logs) {
    const needing = based.filter(({ base }) => historyName(base) === historyOfSpan(span) && base.log < span.end);
    if (needing.length > 0) need(key, undefined, Math.max(...needing.map(({ staysMs }) => staysMs)));
  }
  return needs;
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
