import { createIds } from '../../vault/format/index.ts';
import { type Counted, countedTogether, createIdSet, type WithNeeds } from '../../vault/hold/index.ts';
import type { RestorePoint } from '../../vault/index.ts';

export interface DatasetSize {
  readonly dataset: string;
  readonly restorePoints: number;
  /** Of objects that only this dataset needs: what would be free without it. */
  readonly ownBytes: number;
  /** Of objects that other datasets need too. */
  readonly sharedBytes: number;
}

/**
 * By dataset, the largest first.
 * @param turn called between datasets: all of them together take seconds where there are a million packs
 */
export async function datasetSizes(
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  turn: () => Promise<void>,
): Promise<DatasetSize[]> {
  const byDataset = [...Map.groupBy(points, ({ record }) => record.dataset)];
  const ids = points[0]?.needs.packs.ids ?? createIds();
  const [needed, shared] = [createIdSet(ids), createIdSet(ids)];
  for (const [, own] of byDataset) {
    await turn();
    for (const { number } of countedTogether(own)) if (!needed.addNumber(number)) shared.addNumber(number);
  }
  const sizes: DatasetSize[] = [];
  for (const [dataset, own] of byDataset) {
    await turn();
    let [ownBytes, sharedBytes] = [0, 0];
    for (const { number, sizeBytes } of countedTogether(own)) {
      if (shared.hasNumber(number)) sharedBytes += sizeBytes;
      else ownBytes += sizeBytes;
    }
    sizes.push({ dataset, restorePoints: own.length, ownBytes, sharedBytes });
  }
  return sizes.sort((a, b) => b.ownBytes + b.sharedBytes - (a.ownBytes + a.sharedBytes));
}

export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

/** Of what restore points keep stored: from records and lists, which need no key to be read. */
export function amountOf(objects: Iterable<Pick<Counted, 'sizeBytes'>>): Amount {
  let [count, bytes] = [0, 0];
  for (const { sizeBytes } of objects) {
    count++;
    bytes += sizeBytes;
  }
  return { objects: count, bytes };
}
