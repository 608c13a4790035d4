import type { Key } from '../../destinations/destination.ts';
import { floorName, type LogFloor } from '../format/generation.ts';
import { historyOf, type LogSpan } from '../format/keys.ts';
import { baseOf, type LogBase } from '../format/record.ts';
import type { Held } from '../hold/held-packs.ts';
import type { FoundCover } from '../logs/covers.ts';
import { type Floors, floorOf, historyName, historyOfSpan, inAll, isLetGo, keptFor, systemOf } from '../logs/floors.ts';
import type { PruneRules } from '../prune-rules.ts';
import type { PruneFacts, PrunePoint } from './decide.ts';
import type { HeldGeneration, Place } from './place.ts';

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
  return mergedFloors([...floors.values()]);
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

type Numbered = readonly [number: number, held: HeldGeneration];

/** Newest first, as each place holds them. Between the last ones numbers may be missing: other systems', which nobody asks any more. */
function generationsOf(places: readonly Place[]): Numbered[] {
  return places.flatMap(({ generations }) => [...generations]).sort(([a], [b]) => b - a);
}

/** Of each system, what those `among` the generations say whose signers may prune it. */
function bySystem(generations: readonly Numbered[], among: (own: readonly Numbered[]) => readonly Numbered[]): Floors {
  const systems = new Set(generations.flatMap(([, { floors }]) => [...floors.keys()].map(systemOf)));
  const found = new Map<string, string>();
  for (const system of systems) {
    const own = generations.filter(([, { speaksFor }]) => speaksFor(system));
    for (const [name, position] of inAll(among(own).map(([, { floors }]) => floors))) {
      if (systemOf(name) === system) found.set(name, position);
    }
  }
  return found;
}

/** What the newest generation of other systems' prunes says of theirs: this one says it again. */
export function floorsOfOthers({ places, decides }: Pick<PruneFacts, 'places' | 'decides'>): LogFloor[] {
  if (decides === undefined) return [];
  const newest = bySystem(generationsOf(places), (own) => own.filter(([number]) => number === own[0]?.[0]));
  return [...newest].filter(([name]) => !decides(systemOf(name))).map(([name, position]) => floorOf(name, position));
}

export function mergedFloors(...all: readonly LogFloor[][]): LogFloor[] {
  return all.flat().sort((a, b) => (floorName(a) < floorName(b) ? -1 : 1));
}

/**
 * How far logs may go now: what all generations of a system's prunes say since the newest that all writers have passed. What prunes of other
 * systems say in between is no word about it. Where two prunes met, both count.
 */
export function floorsSince(places: readonly Place[], passed: number): Floors {
  return bySystem(generationsOf(places), (own) => {
    const [first] = own.find(([number]) => number <= passed) ?? [];
    return first === undefined ? [] : own.filter(([number]) => number >= first);
  });
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
