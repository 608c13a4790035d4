import type { Key } from '../../destinations/destination.ts';
import type { Ids } from '../format/ids.ts';
import { isNamedByHash, type LogSpan, parseKey } from '../format/keys.ts';
import type { PackList } from '../format/pack-list.ts';
import { baseOf } from '../format/record.ts';
import { namedByRecord, neededTogether, type WithNeeds } from '../hold/needs.ts';
import { historyName, historyOfSpan } from '../logs/floors.ts';
import type { RestorePoint } from '../vault.ts';

/** What restore points need, taken together. */
export interface NeededObjects {
  /** Each once, with the size that a record, a list or a cover gives it. */
  objects(): Iterable<readonly [Key, number]>;
  /**
   * By key, the restore points that need it. All are found in one go, so that a place that lost everything is told in a time that
   * grows with what it lost; lists of points are shared.
   */
  pointsThatNeed(keys: Iterable<Key>): ReadonlyMap<Key, ReadonlyArray<WithNeeds<RestorePoint>>>;
}

export function neededObjects(
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  ids: Ids,
  pieces: ReadonlyMap<Key, number> = new Map(),
): NeededObjects {
  const byId = new Map<string, WithNeeds<RestorePoint>[]>();
  const byPart = new Map<PackList, WithNeeds<RestorePoint>[]>();
  for (const point of points) {
    for (const id of new Set(namedByRecord(point.needs).map(([, , id]) => id))) note(byId, id, point);
    for (const part of point.needs.packs.parts) note(byPart, part, point);
  }

  function* objects(): Generator<readonly [Key, number]> {
    for (const [key, sizeBytes] of neededTogether(points)) yield [key, sizeBytes];
    yield* pieces;
  }

  function pointsBefore(span: LogSpan): ReadonlyArray<WithNeeds<RestorePoint>> {
    const name = historyOfSpan(span);
    return points.filter(({ record }) => {
      const base = baseOf(record);
      return base !== undefined && historyName(base) === name && base.log < span.end;
    });
  }

  function partsWith(wanted: ReadonlySet<number>): ReadonlyMap<number, readonly number[]> {
    const found = new Map<number, number[]>();
    for (const [place, part] of [...byPart.keys()].entries()) {
      part.each((number) => {
        if (wanted.has(number)) note(found, number, place);
      });
    }
    return found;
  }

  return {
    objects,
    pointsThatNeed(keys) {
      const found = new Map<Key, ReadonlyArray<WithNeeds<RestorePoint>>>();
      const packs = new Map<number, Key>();
      for (const key of keys) {
        const parsed = parseKey(key);
        if (parsed?.type === 'log') found.set(key, pointsBefore(parsed));
        if (!isNamedByHash(parsed)) continue;
        const number = parsed.type === 'pack' ? ids.find(parsed.id) : undefined;
        if (number !== undefined) packs.set(number, key);
        else if (byId.has(parsed.id)) found.set(key, byId.get(parsed.id)!);
      }
      const pointsOfParts = [...byPart.values()];
      const shared = new Map<string, ReadonlyArray<WithNeeds<RestorePoint>>>();
      for (const [number, places] of partsWith(new Set(packs.keys()))) {
        const name = places.join();
        const touched = shared.get(name) ?? [...new Set(places.flatMap((place) => pointsOfParts[place]!))];
        shared.set(name, touched);
        found.set(packs.get(number)!, touched);
      }
      return found;
    },
  };
}

function note<Name, Value>(into: Map<Name, Value[]>, name: Name, value: Value): void {
  const known = into.get(name);
  if (known === undefined) into.set(name, [value]);
  else known.push(value);
}
