import { dayMs, hourMs } from './duration.ts';

/** How many restore points of one dataset are kept. Each rule keeps on its own; a point is dropped only when no rule keeps it. */
export interface Retention {
  /** The newest so many, whatever their age. At least 1. */
  readonly last: number;
  /** The newest point of each of the newest so many hours, days … (UTC) that have one. */
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** Everything at most this much older than the newest. */
  readonly withinMs?: number;
}

export const defaultRetention: Retention = { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 0 };

/** What can be made again, and what nobody must keep for long. */
const shortRetention: Retention = { last: 3, hourly: 6, daily: 3, weekly: 1, monthly: 0, yearly: 0 };

/** What is kept where nothing is said: less in `staging` and `development`. */
export function retentionOf(environment: string): Retention {
  return environment === 'staging' || environment === 'development' ? shortRetention : defaultRetention;
}

export interface Kept<Point> {
  readonly point: Point;
  readonly keep: boolean;
  /** The rules that keep it. Empty when dropped. */
  readonly rules: readonly Rule[];
}

/** `future`: it is dated after now, and no rule was asked. */
export type Rule = 'last' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'within' | 'future';

const periods: ReadonlyArray<readonly ['hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly', (ms: number) => number]> =
  [
    ['hourly', (ms) => Math.floor(ms / hourMs)],
    ['daily', (ms) => Math.floor(ms / dayMs)],
    // Weeks begin on Monday; 1 January 1970 was a Thursday.
    ['weekly', (ms) => Math.floor((Math.floor(ms / dayMs) + 3) / 7)],
    ['monthly', (ms) => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth()],
    ['yearly', (ms) => new Date(ms).getUTCFullYear()],
  ];

/**
 * What `policy` keeps of `points`, newest first.
 *
 * A wrong clock never drops a good point. Points dated after `nowMs` are kept and take no rule's place: either they were
 * made under a fast clock, and then they must not push out the real ones; or the clock is slow now. No rule counts from
 * `nowMs`: `within` counts from the newest point, so a fast clock does not age what is there.
 */
export function keepSet<Point extends { readonly timeMs: number }>(
  points: readonly Point[],
  policy: Retention,
  nowMs: number,
): Kept<Point>[] {
  const sorted = [...points].sort((a, b) => b.timeMs - a.timeMs);
  const rules = new Map<Point, Rule[]>(sorted.map((point) => [point, []]));
  const past = sorted.filter((point) => point.timeMs <= nowMs);
  const keep = (point: Point, rule: Rule) => rules.get(point)?.push(rule);

  for (const point of sorted) if (!(point.timeMs <= nowMs)) keep(point, 'future');
  const last = Math.max(1, policy.last);
  for (const point of past.slice(0, last)) keep(point, 'last');
  for (const [rule, periodOf] of periods) {
    const seen = new Set<number>();
    for (const point of past) {
      if (seen.size >= policy[rule]) break;
      const period = periodOf(point.timeMs);
      if (seen.has(period)) continue;
      seen.add(period);
      keep(point, rule);
    }
  }
  const newest = past[0];
  if (policy.withinMs !== undefined && newest) {
    for (const point of past) if (newest.timeMs - point.timeMs <= policy.withinMs) keep(point, 'within');
  }
  return sorted.map((point) => {
    const keeping = rules.get(point) ?? [];
    return { point, keep: keeping.length > 0, rules: keeping };
  });
}
