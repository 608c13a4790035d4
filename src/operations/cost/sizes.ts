import { folders } from '../../vault/format/index.ts';
import { neededTogether, type WithNeeds } from '../../vault/hold/index.ts';
import type { RestorePoint } from '../../vault/index.ts';

export interface StoredObject {
  readonly isPack: boolean;
  readonly sizeBytes: number;
}

/** What restore points keep stored, by key: from records and lists, which need no key to be read. */
export function objectsOf(points: ReadonlyArray<WithNeeds<RestorePoint>>): Map<string, StoredObject> {
  const sized = neededTogether(points).map(([key, sizeBytes]): [string, StoredObject] => [
    key,
    { isPack: key.startsWith(folders.pack), sizeBytes },
  ]);
  return new Map(sized);
}

export interface DatasetSize {
  readonly dataset: string;
  readonly restorePoints: number;
  /** Of objects that only this dataset needs: what would be free without it. */
  readonly ownBytes: number;
  /** Of objects that other datasets need too. */
  readonly sharedBytes: number;
}

/** By dataset, the largest first. */
export function datasetSizes(points: ReadonlyArray<WithNeeds<RestorePoint>>): DatasetSize[] {
  const byDataset = Map.groupBy(points, ({ record }) => record.dataset);
  const objects = new Map([...byDataset].map(([dataset, own]) => [dataset, objectsOf(own)]));
  const uses = new Map<string, number>();
  for (const own of objects.values()) for (const key of own.keys()) uses.set(key, (uses.get(key) ?? 0) + 1);
  return [...objects]
    .map(([dataset, own]) => {
      let [ownBytes, sharedBytes] = [0, 0];
      for (const [key, { sizeBytes }] of own) {
        if (uses.get(key) === 1) ownBytes += sizeBytes;
        else sharedBytes += sizeBytes;
      }
      return { dataset, restorePoints: byDataset.get(dataset)?.length ?? 0, ownBytes, sharedBytes };
    })
    .sort((a, b) => b.ownBytes + b.sharedBytes - (a.ownBytes + a.sharedBytes));
}

export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

export function amountOf(objects: Iterable<StoredObject>): Amount {
  let [count, bytes] = [0, 0];
  for (const { sizeBytes } of objects) {
    count++;
    bytes += sizeBytes;
  }
  return { objects: count, bytes };
}
