import type { LogFloor } from '../format/generation.ts';
import { historyOf, type LogSpan } from '../format/keys.ts';
import type { LogBase } from '../format/record.ts';

/** How far the logs of each history are let go of: by `historyName`, a position. */
export type Floors = ReadonlyMap<string, string>;

/** Positions of two histories say nothing about each other. No part of it has a space. */
export function historyName({ system, dataset, history }: Omit<LogBase, 'log'>): string {
  return `${system} ${dataset} ${history}`;
}

export function historyOfSpan({ system, dataset, timeline }: Pick<LogSpan, 'system' | 'dataset' | 'timeline'>): string {
  return historyName({ system, dataset, history: historyOf(timeline)! });
}

/** Of a name that `historyName` made. */
export function systemOf(name: string): string {
  return name.slice(0, name.indexOf(' '));
}

/** As a generation says it. */
export function floorOf(name: string, position: string): LogFloor {
  const [system, dataset, history] = name.split(' ') as [string, string, string];
  return [system, dataset, history, position];
}

export function floorsOf(rows: readonly LogFloor[]): Floors {
  return new Map(
    rows.map(([system, dataset, history, position]) => [historyName({ system, dataset, history }), position]),
  );
}

/** What all of these let go of; nothing where there are none. */
export function inAll(all: readonly Floors[]): Floors {
  const lowest = new Map(all[0]);
  for (const floors of all) {
    for (const [name, position] of lowest) {
      const other = floors.get(name);
      if (other === undefined) lowest.delete(name);
      else if (other < position) lowest.set(name, other);
    }
  }
  return lowest;
}

/** What any of these lets go of. */
export function inAny(all: readonly Floors[]): Floors {
  const highest = new Map<string, string>();
  for (const floors of all) {
    for (const [name, position] of floors) if (position > (highest.get(name) ?? '')) highest.set(name, position);
  }
  return highest;
}

/** The same, but for what these restore points need. */
export function keptFor(bases: Iterable<LogBase>, floors: Floors): Floors {
  const lowered = new Map(floors);
  for (const base of bases) {
    const name = historyName(base);
    const position = lowered.get(name);
    if (position !== undefined && base.log < position) lowered.set(name, base.log);
  }
  return lowered;
}

/** Whether a piece, or a cover, is needed by nobody. */
export function isLetGo(floors: Floors, span: LogSpan): boolean {
  return span.end <= (floors.get(historyOfSpan(span)) ?? '');
}

/** Whether a restore point that is being made would begin without its logs: then it is not committed. */
export function isBaseLetGo(floors: Floors, base: LogBase): boolean {
  return base.log < (floors.get(historyName(base)) ?? '');
}
