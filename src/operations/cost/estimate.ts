import { dayMs } from '../../core/duration.ts';
import { storageClass } from '../../core/storage-classes.ts';
import { createIds, folders } from '../../vault/format/index.ts';
import { type Counted, countedTogether, createIdSet, neededTogether, type WithNeeds } from '../../vault/hold/index.ts';
import type { RestorePoint } from '../../vault/index.ts';
import type { Prices } from './prices.ts';
import { type Amount, amountOf } from './sizes.ts';

/** What packs cost in their class, and everything else in the usual one. In US dollars. */
export interface PriceList {
  readonly className: string;
  readonly packs: Prices;
  readonly rest: Prices;
}

export interface Monthly {
  readonly storage: number;
  /** As many objects as the last 30 days brought. */
  readonly requests: number;
  readonly total: number;
}

const monthMs = 30 * dayMs;
const GB = 1e9;
/** An index delta, the record and a note in the ledger, besides packs and manifest. */
const smallObjectsPerPoint = 3;

/** What keeping `points` costs a month, and adding to them as in the 30 days before `nowMs`. */
export function monthlyCost(points: ReadonlyArray<WithNeeds<RestorePoint>>, prices: PriceList, nowMs: number): Monthly {
  const isNew = ({ record }: RestorePoint) => Date.parse(record.time) > nowMs - monthMs;
  const before = createIdSet(points[0]?.needs.packs.ids ?? createIds());
  let storage = 0;
  for (const object of countedTogether(points.filter((point) => !isNew(point)))) {
    before.addNumber(object.number);
    storage += storageOf(object, prices);
  }
  const fresh = points.filter(isNew);
  let requests = (fresh.length * smallObjectsPerPoint * prices.rest.requests) / 1000;
  for (const object of countedTogether(fresh)) {
    if (before.hasNumber(object.number)) continue;
    storage += storageOf(object, prices);
    requests += (object.named === undefined ? prices.packs : prices.rest).requests / 1000;
  }
  return { storage, requests, total: storage + requests };
}

function storageOf({ named, sizeBytes }: Counted, { className, packs, rest }: PriceList): number {
  if (named !== undefined) return (sizeBytes / GB) * rest.storage;
  return (Math.max(sizeBytes, storageClass(className)?.leastBytes ?? 0) / GB) * packs.storage;
}

/** What it takes to read restore points back from one destination. */
export interface RestoreCost extends Amount {
  readonly cost: number | null;
  /** Present where packs must be thawed first. */
  readonly thaw?: Amount & {
    readonly usualHours: number;
    readonly cheapHours: number;
    readonly keys: readonly string[];
  };
}

export function restoreCost(
  points: ReadonlyArray<WithNeeds<RestorePoint>>,
  className: string,
  prices: PriceList | undefined,
): RestoreCost {
  const hours = storageClass(className)?.thawHours;
  const all = amountOf(countedTogether(points));
  const thaw = amountOf(countedTogether(points).filter(({ named }) => named === undefined));
  const packCost = prices === undefined ? 0 : (thaw.bytes / GB) * prices.packs.retrieval;
  const restCost = prices === undefined ? 0 : ((all.bytes - thaw.bytes) / GB) * prices.rest.retrieval;
  const thawCost = hours === undefined || prices === undefined ? 0 : (thaw.objects / 1000) * (prices.packs.thaw ?? 0);
  return {
    ...all,
    cost: prices === undefined ? null : packCost + restCost + thawCost,
    ...(hours && {
      thaw: { ...thaw, usualHours: hours.usual, cheapHours: hours.cheap, keys: packKeysOf(points) },
    }),
  };
}

function packKeysOf(points: ReadonlyArray<WithNeeds<RestorePoint>>): string[] {
  return neededTogether(points)
    .flatMap(([key]) => (key.startsWith(folders.pack) ? [key] : []))
    .toArray()
    .sort();
}
