import type { Destination, Key } from '../../destinations/destination.ts';
import type { Ids } from '../format/ids.ts';
import { epochKeyKey, folders, listKey, manifestKey, packKey } from '../format/keys.ts';
import { decodePackList, type ListName, listBytesOf, type PackList, packList } from '../format/pack-list.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { inParallel } from '../in-parallel.ts';
import { type Damage, damageOf, fetchSound } from './fetch-sound.ts';
import { createIdSet } from './id-set.ts';
import { listHeld } from './listing.ts';

/** What a restore point needs besides its record: objects that are named by their SHA-256. */
export interface Needs {
  /** `[id, size in bytes]` */
  readonly manifest: readonly [string, number];
  readonly lists: readonly ListName[];
  readonly packs: Packs;
  /** `[epoch, id, size in bytes]` of the keys of their epochs. */
  readonly keys: SnapshotRecord['keys'];
}

/** What is needed: its key, its size in bytes, its id. */
export type Needed = readonly [key: Key, sizeBytes: number, id: string];

/** All of it, but for the packs: what the record itself names. */
export function* namedByRecord({ manifest, lists, keys }: Needs): Generator<Needed> {
  yield [manifestKey(manifest[0]), manifest[1], manifest[0]];
  for (const [id, count] of lists) yield [listKey(id), listBytesOf(count), id];
  for (const [epoch, id, sizeBytes] of keys) yield [epochKeyKey(epoch, id), sizeBytes, id];
}

/** All of it that is known: where a list could not be read, its packs are not. */
export function* allNeeded(needs: Needs): Generator<Needed> {
  yield* namedByRecord(needs);
  for (const [id, sizeBytes] of needs.packs) yield [packKey(id), sizeBytes, id];
}

/**
 * What restore points need together, each object once. A list that many of them name is walked once: thousands may share a million
 * packs.
 */
export function* neededTogether(points: ReadonlyArray<{ readonly needs: Needs }>): Generator<Needed> {
  const ids = points[0]?.needs.packs.ids;
  if (ids === undefined) return;
  for (const { number, sizeBytes, named } of countedTogether(points)) {
    const id = ids.idOf(number);
    yield named ?? [packKey(id), sizeBytes, id];
  }
}

/** Its number is that of its id in the `Ids` of the first restore point. */
export interface Counted {
  readonly number: number;
  readonly sizeBytes: number;
  /** Absent: it is a pack. */
  readonly named?: Needed;
}

/** The same for who only counts: the keys of a million packs take longer to make than everything that is done with them. */
export function* countedTogether(points: ReadonlyArray<{ readonly needs: Needs }>): Generator<Counted> {
  const ids = points[0]?.needs.packs.ids;
  if (ids === undefined) return;
  const told = createIdSet(ids);
  for (const { needs } of points) {
    for (const named of namedByRecord(needs)) {
      const number = ids.add(named[2]);
      if (told.addNumber(number)) yield { number, sizeBytes: named[1], named };
    }
  }
  for (const [part] of partsTogether(points, ids)) {
    const fresh: Counted[] = [];
    part.each((number, sizeBytes) => {
      if (told.addNumber(number)) fresh.push({ number, sizeBytes });
    });
    yield* fresh;
  }
}

/** The lists that restore points name, each once, with the first that does; their packs counted in `ids`. */
export function* partsTogether<Point extends { readonly needs: Needs }>(
  points: readonly Point[],
  ids: Ids,
): Generator<readonly [PackList, Point]> {
  const walked = new Set<PackList>();
  for (const point of points) {
    const { ids: own, parts } = point.needs.packs;
    for (const part of parts) {
      if (walked.has(part)) continue;
      walked.add(part);
      yield [own === ids ? part : countedIn(ids, part, own), point];
    }
  }
}

/** The same list, counted in other ids than its own. */
function countedIn(ids: Ids, part: PackList, own: Ids): PackList {
  const [numbers, sizes]: [number[], number[]] = [[], []];
  part.each((number, sizeBytes) => {
    numbers.push(ids.add(own.idOf(number)));
    sizes.push(sizeBytes);
  });
  return packList(ids, Uint32Array.from(numbers), Uint32Array.from(sizes));
}

/** The packs that lists name, counted: restore points share most of them, and there may be a million. */
export interface Packs extends Iterable<readonly [string, number]> {
  readonly ids: Ids;
  /** Of one record, in its order, but for those that could not be read. The same list is the same object in all records. */
  readonly parts: readonly PackList[];
  /** Ids of the lists of which no sound copy could be read: what they name is not known. */
  readonly unread: readonly string[];
}

export function packsOf(ids: Ids, parts: readonly PackList[], unread: readonly string[] = []): Packs {
  return {
    ...{ ids, parts, unread },
    *[Symbol.iterator]() {
      for (const part of parts) {
        const packs: (readonly [number, number])[] = [];
        part.each((number, sizeBytes) => packs.push([number, sizeBytes]));
        for (const [number, sizeBytes] of packs) yield [ids.idOf(number), sizeBytes] as const;
      }
    },
  };
}

/** How large a pack is by these lists; undefined for one that none of them names. */
export function packSizes({ ids, parts }: Packs): (id: string) => number | undefined {
  const known = new Uint32Array(ids.size);
  for (const part of parts) {
    part.each((number, sizeBytes) => {
      known[number] = sizeBytes;
    });
  }
  return (id) => known[ids.find(id) ?? -1] || undefined;
}

type WithRecord = { readonly record: Pick<SnapshotRecord, 'manifest' | 'lists' | 'keys'> };
export type WithNeeds<Point> = Point & { readonly needs: Needs };

/** Reads what these restore points need: their lists, each once, from any place that has it sound. */
export type NeedsReader = <Point extends WithRecord>(
  points: readonly Point[],
  signal?: AbortSignal,
) => Promise<WithNeeds<Point>[]>;

const atOnce = 8;
/** Strangers' records can name any number of lists: more than these are asked for only where a listing shows them. */
const mostUnlisted = 64;

export function needsReader(
  destinations: readonly Destination[],
  ids: Ids,
  onDamage: (damage: Damage) => void,
  usual = new AbortController().signal,
): NeedsReader {
  /** By id; null: no copy is sound. */
  const known = new Map<string, PackList | null>();

  async function read([id, packs]: ListName, holders: readonly Destination[], signal: AbortSignal): Promise<void> {
    try {
      const sizeBytes = listBytesOf(packs);
      const bytes = await fetchSound(holders, listKey(id), id, onDamage, { sizeBytes, signal });
      known.set(id, decodePackList(bytes, ids));
    } catch {
      // What was wrong with each copy was told; who counts on the list sees that it is unread.
      signal.throwIfAborted();
      known.set(id, null);
    }
  }

  function needsOf({ manifest, lists, keys }: WithRecord['record']): Needs {
    const parts: PackList[] = [];
    const unread: string[] = [];
    for (const [id, packs, sizeBytes] of lists) {
      const list = known.get(id);
      // Another record may name it rightly.
      if (list?.count === packs && list.totalBytes === sizeBytes) parts.push(list);
      else unread.push(id);
    }
    return { manifest, lists, packs: packsOf(ids, parts, unread), keys };
  }

  return async (points, signal = usual) => {
    const missing = new Map<string, ListName>();
    for (const { record } of points)
      for (const list of record.lists) if (!known.has(list[0])) missing.set(list[0], list);
    const holders = missing.size > mostUnlisted ? await holdersOfLists(destinations, onDamage, signal) : undefined;
    const readOne = (list: ListName) => read(list, holders === undefined ? destinations : holders(list[0]), signal);
    await inParallel([...missing.values()], atOnce, readOne, signal);
    return points.map((point) => ({ ...point, needs: needsOf(point.record) }));
  };
}

async function holdersOfLists(
  destinations: readonly Destination[],
  onDamage: (damage: Damage) => void,
  signal: AbortSignal,
): Promise<(id: string) => readonly Destination[]> {
  const holders = new Map<string, Destination[]>();
  for (const destination of destinations) {
    try {
      for await (const [{ id }] of listHeld(destination, ['list'], { signal })) {
        holders.set(id, [...(holders.get(id) ?? []), destination]);
      }
    } catch (error) {
      signal.throwIfAborted();
      onDamage(damageOf(destination.name, folders.list, error));
    }
  }
  return (id) => holders.get(id) ?? [];
}
