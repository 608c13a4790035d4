import type { Key } from '../../destinations/destination.ts';
import type { LogFloor } from '../format/generation.ts';
import { historyOf, type LogSpan } from '../format/keys.ts';
import { baseOf, type LogBase } from '../format/record.ts';
import type { FoundCover } from '../logs/covers.ts';
import { type Floors, historyName, historyOfSpan, isLetGo, keptFor } from '../logs/floors.ts';
import type { PruneFacts, PrunePoint } from './decide.ts';
import type { Held } from './held.ts';
import type { Place } from './place.ts';
import type { PruneRules } from './rules.ts';

/** A piece of a log, or a cover. */
export interface HeldLog extends Held {
  readonly span: LogSpan;
}

/** What of logs a decision rests on. */
export interface LogFacts {
  /** Of each writer's timeline, the one that reaches furthest. */
  readonly covers: readonly FoundCover[];
  /** Whether this prune speaks for what `writer` (its id) stored of `system`: of others' logs nothing goes. */
  mayLetGo(system: string, writer: string): boolean;
}

/**
 * How far each history is let go of: up to where the oldest kept restore point begins to need it. One that no kept restore point is of is
 * over once its dataset has only such as were made after its newest cover; until then, and where nothing is kept, a restore point may be on its way.
 */
export function decideFloors({
  places,
  points,
  kept,
  logs,
}: Pick<PruneFacts, 'places' | 'points' | 'kept' | 'logs'>): LogFloor[] {
  const bases = points.flatMap((point) => (!point.strange && kept.has(point.key) ? baseAt(point) : []));
  const floors = new Map<string, LogFloor>();
  // A history has a piece for every few seconds, and one answer.
  const judged = new Set<string>();
  for (const { logs: held } of places) {
    for (const { span } of held.values()) {
      const { system, dataset, timeline, writer } = span;
      const name = historyOfSpan(span);
      if (judged.has(name) || logs?.mayLetGo(system, writer) === false) continue;
      judged.add(name);
      const position = positionOf(name, bases, logs?.covers ?? []);
      if (position !== undefined) floors.set(name, [system, dataset, historyOf(timeline)!, position]);
    }
  }
  return [...floors].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, floor]) => floor);
}

interface TimedBase extends LogBase {
  readonly time: string;
}

function baseAt({ record }: PrunePoint): TimedBase[] {
  const base = baseOf(record);
  return base === undefined ? [] : [{ ...base, time: record.time }];
}

function positionOf(name: string, bases: readonly TimedBase[], covers: readonly FoundCover[]): string | undefined {
  const own = bases.filter((base) => historyName(base) === name).map(({ log }) => log);
  if (own.length > 0) return own.sort()[0];
  const ofDataset = name.slice(0, name.lastIndexOf(' ') + 1);
  const times = bases.filter((base) => historyName(base).startsWith(ofDataset)).map(({ time }) => time);
  const last = covers.filter(({ cover }) => historyOfSpan(cover) === name).map(({ cover }) => cover);
  const isOver = times.every((time) => last.every((cover) => cover.time < time));
  if (times.length === 0 || last.length === 0 || !isOver) return undefined;
  return last
    .map((cover) => cover.last)
    .sort()
    .at(-1);
}

/**
 * What goes at a place: what `floors` let go of, once no record that is anywhere needs it any more. So a restore point has its logs
 * as long as it is there, whatever keeps it. Covers first: what they do not name is nobody's loss.
 */
export function logsToGo(
  { points, logs }: Pick<PruneFacts, 'points' | 'logs'>,
  place: Place,
  floors: Floors,
  rules: PruneRules,
): Key[] {
  const bases = points.flatMap((point) => (rules.logsAfterRecords && !point.strange ? baseAt(point) : []));
  const lowered = keptFor(bases, floors);
  return [...place.logs]
    .filter(([, { span }]) => logs?.mayLetGo(span.system, span.writer) !== false && isLetGo(lowered, span))
    .map(([key]) => key)
    .sort();
}
