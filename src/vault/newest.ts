import type { PassedOverEvidence } from '../core/evidence.ts';
import type { Run } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import { restorePointDoubtful, restorePointMissing } from './errors.ts';
import { parseRecordKey, recordHash, type SnapshotRecord } from './format/record.ts';
import { type Doubt, isDoubtful } from './trust.ts';
import type { RestorePoint, RestorePoints } from './vault.ts';

/** A newer restore point than the one that was chosen, and why it was not. */
export interface PassedOver {
  readonly dataset: string;
  readonly id: string;
  /** As it states, or as its name does where it cannot be read. */
  readonly time: string;
  /** At least one. */
  readonly doubts: ReadonlyArray<{ readonly code: Doubt['code'] | 'unreadable'; readonly why: string }>;
}

export interface Choice {
  readonly point: RestorePoint;
  /** Those that count first (`countsAgainst`), then the newest. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * The newest restore point of `dataset` that is believed and not younger than `beforeMs` allows, and every newer one that it was
 * chosen over: whoever brings it back says so. Where none at all is believed, and only because of its time, the whole copy is young
 * or a clock was wrong throughout: then the last one stored.
 * @throws `restore-point-missing`, `restore-point-doubtful` where only doubtful ones fit
 */
export function chooseNewest(found: RestorePoints, dataset: string, beforeMs = Number.POSITIVE_INFINITY): Choice {
  const point = newestPoint(found.points, dataset, beforeMs);
  return { point, passedOver: passedOverFor(point, found, beforeMs) };
}

/** The same without what was passed over: for looking only, never for bringing back. */
export function newestPoint<Point extends RestorePoint>(
  points: readonly Point[],
  dataset: string,
  beforeMs = Number.POSITIVE_INFINITY,
): Point {
  const own = points.filter(({ record }) => record.dataset === dataset);
  const fitting = own.filter(({ record }) => Date.parse(record.time) <= beforeMs);
  const believed = fitting.findLast((point) => !isDoubtful(point));
  if (believed !== undefined) return believed;
  const at = Number.isFinite(beforeMs) ? new Date(beforeMs).toISOString() : 'any time';
  const last = fitting.at(-1);
  if (last === undefined) throw restorePointMissing({ dataset, at });
  const allByTime = own.every(({ doubts }) =>
    doubts.every(({ code }) => code === 'time-ahead' || code === 'stored-late'),
  );
  if (allByTime && own.every(isDoubtful)) return last;
  const why = last.doubts.map((doubt) => doubt.why).join(', ');
  throw restorePointDoubtful({ dataset, at, id: last.record.id, why });
}

/** As `newestPoint`; undefined where there is none, or none that is believed. */
export function newestOrNone<Point extends RestorePoint>(
  points: readonly Point[],
  dataset: string,
  beforeMs?: number,
): Point | undefined {
  return unlessNone(() => newestPoint(points, dataset, beforeMs));
}

/** As `chooseNewest`; undefined where there is none, or none that is believed. */
export function choiceOrNone(found: RestorePoints, dataset: string, beforeMs?: number): Choice | undefined {
  return unlessNone(() => chooseNewest(found, dataset, beforeMs));
}

function unlessNone<Chosen>(choose: () => Chosen): Chosen | undefined {
  try {
    return choose();
  } catch (error) {
    if (restorePointMissing.is(error) || restorePointDoubtful.is(error)) return undefined;
    throw error;
  }
}

/**
 * Newer by its place in the order, or by the time that it states: a place whose clock lies could move it behind. What the chosen one
 * goes on from is older, whatever either says.
 */
function passedOverFor(chosen: RestorePoint, { points, suspect }: RestorePoints, beforeMs: number): PassedOver[] {
  const { dataset, time } = chosen.record;
  const at = points.indexOf(chosen);
  const newer = points.filter(({ record, storedMs, doubts }, index) => {
    if (record.dataset !== dataset || doubts.length === 0 || record === chosen.record) return false;
    return (index > at || record.time > time) && (Date.parse(record.time) <= beforeMs || storedMs <= beforeMs);
  });
  // Usually there is none, and a long history need not be followed for every dataset.
  const before = newer.length === 0 ? new Set() : ancestorsOf(chosen.record, points);
  const passedOver = newer
    .filter(({ record }) => !before.has(record))
    .map(({ record: { id, time }, doubts }): PassedOver => ({ dataset, id, time, doubts }));
  const held = new Set(points.map(({ key }) => key));
  for (const { key, why, newer } of suspect) {
    const named = parseRecordKey(key);
    // Two places that hold different records under one name: the one that is read is among the points.
    if (named === undefined || (held.has(key) && !newer) || named.dataset !== dataset || named.time <= time) continue;
    if (Date.parse(named.time) > beforeMs) continue;
    passedOver.push({ dataset, id: named.id, time: named.time, doubts: [{ code: 'unreadable', why }] });
  }
  const weight = (one: PassedOver) => (countsAgainst(one) ? 0 : 1);
  return passedOver.sort((a, b) => weight(a) - weight(b) || (a.time > b.time ? -1 : 1));
}

/** The records that a record goes on from, by its writer's own signatures. */
function ancestorsOf(record: SnapshotRecord, points: readonly RestorePoint[]): ReadonlySet<SnapshotRecord> {
  const byHash = new Map(points.map((point) => [recordHash(point.record), point.record]));
  const before = new Set<SnapshotRecord>();
  let next = record.previous === null ? undefined : byHash.get(record.previous);
  while (next !== undefined && next.writer === record.writer) {
    before.add(next);
    next = next.previous === null ? undefined : byHash.get(next.previous);
  }
  return before;
}

/**
 * Whether a known writer made it: then what was brought back is not the newest state. Whoever may only add objects can leave
 * others there at will, so these are said, and prove nothing against what was chosen.
 */
export function countsAgainst({ doubts }: PassedOver): boolean {
  return doubts.every(({ code }) => code !== 'writer-unknown' && code !== 'unreadable');
}

const mostSaid = 3;

/** Sentences for people, of one dataset or several; none where nothing was passed over. */
export function passedOverWords(passedOver: readonly PassedOver[]): string[] {
  const said = passedOver.slice(0, mostSaid).map(({ dataset, id, time, doubts }) => {
    const why = doubts.map((doubt) => doubt.why.replace(/\.$/, '')).join(', ');
    return `A newer restore point of ${dataset}, ${id} of ${time}, was passed over: ${why}.`;
  });
  const more = passedOver.length - said.length;
  return more === 0
    ? said
    : [
        ...said,
        `${countOf(more, 'newer one was', 'more newer ones were')} passed over too: 'lifeboat list' names each.`,
      ];
}

/** Told even where nothing else is to be said: whoever brings an older state back must know it. */
export function tellPassedOver(passedOver: readonly PassedOver[], run: Pick<Run, 'problem'>): void {
  for (const message of passedOverWords(passedOver)) run.problem({ code: 'newer-passed-over', message, urgent: true });
}

/** An entry of the ledger names no more of them: strangers could add any number. */
const mostNoted = 20;

export function passedOverEvidence(passedOver: readonly PassedOver[]): PassedOverEvidence {
  const noted = passedOver.slice(0, mostNoted);
  return {
    count: passedOver.length,
    points: noted.map(({ id, time, doubts }) => ({ restorePoint: id, time, reasons: doubts.map(({ code }) => code) })),
  };
}
