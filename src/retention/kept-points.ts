import { dayMs, hourMs } from '../core/duration.ts';
import { largestOf } from '../core/extremes.ts';
import { keepSet, type Retention, type Rule } from '../core/retention.ts';

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

/** What keeps a restore point. Words are for the edge (`reasonText`): names in it are free text. */
export type Reason =
  | { readonly by: 'rule'; readonly rule: Rule /** Of `last`. */; readonly count?: number }
  | { readonly by: 'until'; readonly untilMs: number; readonly className?: string }
  | { readonly by: 'pin'; readonly reason: string; readonly untilMs?: number }
  | { readonly by: 'must'; readonly why: string };

/** `last 3`, `hourly`, `pre-migration until 2027-01-01`, `pinned: before 2.4`. */
export function reasonText(reason: Reason): string {
  switch (reason.by) {
    case 'rule':
      if (reason.rule === 'future') return 'dated in the future';
      return reason.count === undefined ? reason.rule : `${reason.rule} ${reason.count}`;
    case 'until': {
      const until = `until ${new Date(reason.untilMs).toISOString().slice(0, 10)}`;
      return reason.className === undefined ? until : `${reason.className} ${until}`;
    }
    case 'pin':
      return `pinned: ${reason.reason}`;
    case 'must':
      return reason.why;
  }
}

export interface KeptPoint<Point> {
  readonly point: Point;
  readonly keep: boolean;
  readonly reasons: readonly Reason[];
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
  const rules = new Map<Point, Set<Rule>>(points.map((point) => [point, new Set()]));
  const applyBy = (some: readonly Point[], timeOf: (point: Point) => number) => {
    // Of two of one moment the later in the list is the newer.
    const timed = some.map((point) => ({ point, timeMs: timeOf(point) })).reverse();
    // No rule counts from now, and no time is later than the store's: nothing is dated in the future here.
    for (const { point, rules: keeping } of keepSet(timed, policy, Number.POSITIVE_INFINITY)) {
      for (const rule of keeping) rules.get(point.point)?.add(rule);
    }
  };
  const apply = (some: readonly Point[]) => {
    applyBy(some, ({ timeMs }) => timeMs);
    const others = largestOf(some, ({ otherTimesMs = [] }) => otherTimesMs.length, 0);
    for (let at = 0; at < others; at++) applyBy(some, ({ timeMs, otherTimesMs }) => otherTimesMs?.[at] ?? timeMs);
  };
  const places = new Set(points.flatMap((point) => point.places));
  for (const place of places) {
    const there = ruled.filter((point) => point.places.includes(place));
    apply(there.filter(({ counts }) => counts));
    apply(there);
  }
  apply(ruled.filter((point) => point.places.length === 0));
  return points.toReversed().map((point) => {
    const own = point.erased === true ? [] : ownReasons(point, nowMs);
    const ruling = [...[...(rules.get(point) ?? [])].map((rule) => ruleReason(rule, policy)), ...own];
    const must: Reason[] = point.must === undefined ? [] : [{ by: 'must', why: point.must }];
    const all = ruling.length === 0 ? must : ruling;
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

function ruleReason(rule: Rule, { last }: Retention): Reason {
  return { by: 'rule', rule, ...(rule === 'last' && { count: Math.max(1, last) }) };
}

function ownReasons({ untilMs, className, pin }: Keepable, nowMs: number): Reason[] {
  const reasons: Reason[] = [];
  if (untilMs !== undefined && untilMs > nowMs) {
    reasons.push({ by: 'until', untilMs, ...(className !== undefined && { className }) });
  }
  if (pin !== undefined && !(pin.untilMs !== undefined && pin.untilMs <= nowMs)) reasons.push({ by: 'pin', ...pin });
  return reasons;
}

function goes(
  { timeMs }: Keepable,
  reasons: readonly Reason[],
  policy: Retention,
  intervalMs: number,
): number | undefined {
  if (reasons.length === 0) return timeMs;
  const ends = reasons.map((reason) => {
    if (reason.by === 'must') return undefined;
    return reason.by === 'rule' ? endOf(reason.rule, timeMs, policy, intervalMs) : reason.untilMs;
  });
  return ends.some((end) => end === undefined) ? undefined : Math.max(...ends.map(Number));
}

/** A rule of days, weeks … is sure of a point only once its day or week is over: until then a newer one may take its place. */
function stays({ timeMs }: Keepable, reasons: readonly Reason[], policy: Retention, nowMs: number): number | undefined {
  const ends = reasons.flatMap((reason) => {
    if (reason.by === 'must') return [];
    if (reason.by !== 'rule') return reason.untilMs ?? [];
    const { rule } = reason;
    if (rule === 'last' || rule === 'future') return [];
    const periodEndsMs = endOf(rule, timeMs, { ...policy, [rule]: 1 }, 0);
    if (rule !== 'within' && periodEndsMs !== undefined && periodEndsMs > nowMs) return [];
    return endOf(rule, timeMs, policy, 0) ?? [];
  });
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** When newer points have taken its place in a rule. */
function endOf(rule: Rule, ms: number, policy: Retention, intervalMs: number): number | undefined {
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
    case 'last':
      return ms + Math.max(1, policy.last) * intervalMs;
    case 'future':
      return undefined;
  }
}
