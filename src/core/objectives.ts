import { dayMs, hourMs, minuteMs } from './duration.ts';

/** Round intervals, so that a schedule can be read and kept in mind. */
const intervals = [
  ...[1, 2, 5, 10, 15, 20, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * hourMs),
  dayMs,
];

/**
 * How often to back up so that the objective holds: a restore point's age just before the next one is done is the interval
 * plus the time that a backup takes, and one failed attempt shall still be mended in time. So: the longest round interval of
 * which two, and the backup itself, fit into the RPO. Never under a minute, never over a day.
 */
export function intervalFor(rpoMs: number, backupMs = 0): number {
  const longest = (rpoMs - backupMs) / 2;
  return intervals.findLast((interval) => interval <= longest) ?? minuteMs;
}

/** What would be lost now, against what may be. */
export type Standing =
  | { readonly kind: 'met'; readonly lossMs: number }
  | { readonly kind: 'missed'; readonly lossMs: number }
  /** There is no restore point: everything would be lost. */
  | { readonly kind: 'nothing' };

/** A restore point dated after `nowMs` says that a clock is wrong, not that nothing would be lost: its age counts as zero. */
export function standing(newestMs: number | undefined, rpoMs: number, nowMs: number): Standing {
  if (newestMs === undefined) return { kind: 'nothing' };
  const lossMs = Math.max(0, nowMs - newestMs);
  return { kind: lossMs <= rpoMs ? 'met' : 'missed', lossMs };
}
