import { dayMs, hourMs } from './duration.ts';
import { keepSet, type Retention } from './retention.ts';

/** A restore point of one dataset, as retention sees it. */
export interface Keepable {
  /** As its host's clock said, but not later than it was stored. */
  readonly timeMs: number;
  /** By the stores' clocks, where the host's disagrees: all of them are tried, so that a wrong clock drops nothing. */
  readonly otherTimesMs?: readonly number[];
  /** Names of the places that hold it. Each place alone must keep what the policy asks for. */
  readonly places: readonly string[];
  /** False: it is incomplete or doubtful, and takes no place of one that is sound. */
  readonly counts: boolean;
  /** Kept at least until then. */
  readonly untilMs?: number;
  /** Of a class of its own (`pre-migration`): kept until `untilMs`, without taking a place in any rule. */
  readonly className?: string;
  readonly pin?: { readonly reason: string; readonly untilMs?: number };
  /** Why it stays even where nothing else keeps it. */
  readonly must?: string;
  /** Goes whatever the policy says: it was erased. */
  readonly erased?: boolean;
}

export interface KeptPoint<Point> {
  readonly point: Point;
  readonly keep: boolean;
  readonly reasons: readonly string[];
  /** About when it goes, if backups go on as scheduled. Absent: nobody knows (pinned without an end). */
  readonly goesMs?: number;
  /** Until then it surely stays, whatever is backed up from now on: its lock may reach as far. Absent: that cannot be said. */
  readonly staysMs?: number;
}

/**
 * What `policy` keeps of the restore points of one dataset (given oldest first), newest first. The policy is applied to every place by itself and
 * only to what counts there, and what any place keeps is kept: so neither a place that lags nor a point that is doubtful or
 * damaged ever pushes out a sound one.
 * @param nowMs by the store's clock
 * @param intervalMs between two backups, for `goesMs`
 */
export function keptPoints<Point extends Keepable>(
  points: readonly Point[],
  policy: Retention,
  { nowMs, intervalMs }: { readonly nowMs: number; readonly intervalMs: number },
): KeptPoint<Point>[] {
  const ruled = points.filter(({ erased, className }) => erased !== true && className === undefined);
  const reasons = new Map<Point, Set<string>>(points.map((point) => [point, new Set()]));
  const applyBy = (some: readonly Point[], timeOf: (point: Point) => number) => {
    // Of two of one moment the later in the list is the newer.
    const timed = some.map((point) => ({ point, timeMs: timeOf(point) })).reverse();
    // No rule counts from now, and no time is later than the store's: nothing is dated in the future here.
    for (const { point, reasons: why } of keepSet(timed, policy, Number.POSITIVE_INFINITY)) {
      for (const reason of why) reasons.get(point.point)?.add(reason);
    }
  };
  const apply = (some: readonly Point[]) => {
    applyBy(some, ({ timeMs }) => timeMs);
    const others = Math.max(0, ...some.map(({ otherTimesMs = [] }) => otherTimesMs.length));
    for (let at = 0; at < others; at++) applyBy(some, ({ timeMs, otherTimesMs }) => otherTimesMs?.[at] ?? timeMs);
  };
  const places = new Set(points.flatMap((point) => point.places));
  for (const place of places) {
    const there = ruled.filter((point) => point.places.includes(place));
    apply(there.filter(({ counts }) => counts));
    apply(there);
  }
  apply(ruled.filter((point) => point.places.length === 0));
  return [...points]
    .sort((a, b) => b.timeMs - a.timeMs)
    .map((point) => {
      const ruling = [...(reasons.get(point) ?? []), ...(point.erased === true ? [] : ownReasons(point, nowMs))];
      const all = ruling.length === 0 && point.must !== undefined ? [point.must] : ruling;
      const goesMs = goes(point, all, policy, intervalMs);
      const staysMs = stays(point, all, policy, nowMs);
      return {
        point,
        keep: all.length > 0,
        reasons: all,
        ...(goesMs !== undefined && { goesMs }),
        ...(staysMs !== undefined && { staysMs }),
      };
    });
}

function ownReasons({ untilMs, className, pin }: Keepable, nowMs: number): string[] {
  const reasons: string[] = [];
  if (untilMs !== undefined && untilMs > nowMs) {
    const day = new Date(untilMs).toISOString().slice(0, 10);
    reasons.push(className === undefined ? `until ${day}` : `${className} until ${day}`);
  }
  if (pin !== undefined && !(pin.untilMs !== undefined && pin.untilMs <= nowMs)) reasons.push(`pinned: ${pin.reason}`);
  return reasons;
}

function goes(point: Keepable, reasons: readonly string[], policy: Retention, intervalMs: number): number | undefined {
  if (reasons.length === 0) return point.timeMs;
  const ends = reasons.map((reason) => {
    if (reason.startsWith('pinned: ')) return point.pin?.untilMs;
    if (reason === point.must) return undefined;
    return endOf(reason, point.timeMs, policy, intervalMs) ?? point.untilMs;
  });
  return ends.some((end) => end === undefined) ? undefined : Math.max(...ends.map(Number));
}

/** A rule of days, weeks … is sure of a point only once its day or week is over: until then a newer one may take its place. */
function stays(point: Keepable, reasons: readonly string[], policy: Retention, nowMs: number): number | undefined {
  const ends = reasons.flatMap((reason) => {
    if (reason.startsWith('pinned: ')) return point.pin?.untilMs ?? [];
    if (reason === point.must || reason.startsWith('last ')) return [];
    const periodEndsMs = endOf(reason, point.timeMs, { ...policy, [reason]: 1 }, 0);
    if (reason !== 'within' && periodEndsMs !== undefined && periodEndsMs > nowMs) return [];
    return endOf(reason, point.timeMs, policy, 0) ?? point.untilMs ?? [];
  });
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** When newer points have taken its place in a rule. */
function endOf(rule: string, ms: number, policy: Retention, intervalMs: number): number | undefined {
  const date = new Date(ms);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const day = Math.floor(ms / dayMs);
  switch (rule) {
    case 'hourly':
      return (Math.floor(ms / hourMs) + policy.hourly) * hourMs;
    case 'daily':
      return (day + policy.daily) * dayMs;
    case 'weekly':
      return (day - ((day + 3) % 7) + policy.weekly * 7) * dayMs;
    case 'monthly':
      return Date.UTC(year, month + policy.monthly, 1);
    case 'yearly':
      return Date.UTC(year + policy.yearly, 0, 1);
    case 'within':
      return ms + (policy.withinMs ?? 0);
    default:
      return rule.startsWith('last ') ? ms + Math.max(1, policy.last) * intervalMs : undefined;
  }
}
