import { countOf, formatSize } from '../core/size.ts';
import { createIds } from '../vault/format/index.ts';
import { createIdSet, type WithNeeds } from '../vault/hold/index.ts';
import { isStrange, type RestorePoint } from '../vault/index.ts';
import type { Place } from '../vault/prune/index.ts';

/** What strangers' records hold up: they are kept, with what they alone name, until a person says whose they are. */
export interface Strangers {
  readonly writers: readonly string[];
  readonly records: number;
  /** Objects that no known writer's record names, at the place that holds most of them. */
  readonly objects: number;
  readonly bytes: number;
}

export function strangersOf(points: ReadonlyArray<WithNeeds<RestorePoint>>, places: readonly Place[]): Strangers {
  const strange = points.filter(isStrange);
  if (strange.length === 0) return { writers: [], records: 0, objects: 0, bytes: 0 };
  const ids = points[0]?.needs.packs.ids ?? createIds();
  const [theirs, ours] = [createIdSet(ids), createIdSet(ids)];
  for (const point of points) (isStrange(point) ? theirs : ours).addNeeds(point.needs);
  const held = places.map(({ packs, manifests, lists }) => {
    let [objects, bytes] = [0, 0];
    for (const id of theirs) {
      const one = ours.has(id) ? undefined : (packs.get(id) ?? manifests.get(id) ?? lists.get(id));
      if (one === undefined) continue;
      objects++;
      bytes += one.sizeBytes;
    }
    return { objects, bytes };
  });
  const most = held.reduce((a, b) => (a.bytes >= b.bytes ? a : b), { objects: 0, bytes: 0 });
  return { writers: [...new Set(strange.map(({ record }) => record.writer))].sort(), records: strange.length, ...most };
}

export function strangersText({ writers, records, objects, bytes }: Strangers): string {
  const what = countOf(records, 'restore point');
  const kept = objects === 0 ? '' : ` For their sake ${countOf(objects, 'object')} (${formatSize(bytes)}) stay.`;
  return `${what} signed by ${countOf(writers.length, 'unknown writer')}, the first ${writers[0]}, are left alone.${kept} If that is a machine of yours, name its key in vault.writers.`;
}
