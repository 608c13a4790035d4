import { packKey } from '../format/keys.ts';
import { writerId } from '../format/signing.ts';
import type { WithNeeds } from '../hold/needs.ts';
import type { Trust } from '../trust.ts';
import type { RestorePoint } from '../vault.ts';
import type { Inside } from './look-inside.ts';
import type { OpenedManifests } from './manifests.ts';
import type { NeededObjects } from './needed.ts';
import type { ObjectsRead } from './read-objects.ts';

/**
 * A pack that is stored as it was made, and was made wrong: bad memory of its host, or somebody with its keys. No copy heals it; its
 * writer must not use it again.
 */
export interface WrongPack {
  readonly pack: string;
  readonly why: string;
  /** Restore points that need it. None: it waits for the next. */
  readonly restorePoints: readonly RestorePoint[];
  /** Whose backups may have come to use it. */
  readonly systems: readonly string[];
}

interface WrongPacksRequest {
  readonly reads: readonly ObjectsRead[];
  /** Those that are believed and stay. */
  readonly points: readonly RestorePoint[];
  readonly needed: NeededObjects;
  readonly manifests: OpenedManifests;
  readonly trust: Trust;
}

/** What is wrong among the packs that were read: of those that known writers use, or have in their index. Strangers' are junk. */
export function wrongPacks(request: WrongPacksRequest): WrongPack[] {
  const { reads, manifests, needed } = request;
  const systemsOf = systemsByWriter(request);
  const named = namedPacks(reads, systemsOf);
  const suspects = new Map<string, Inside>();
  for (const { inside } of reads) {
    for (const [pack, one] of inside) {
      const hashes = named.get(pack)?.hashes;
      const isMisnamed =
        one.table !== undefined && hashes !== undefined && [...hashes].some((hash) => hash !== one.table);
      if (one.wrong !== undefined || one.closed) suspects.set(pack, one);
      else if (isMisnamed) suspects.set(pack, { wrong: misnamed });
    }
  }
  if (suspects.size === 0) return [];
  const users = usersOf(suspects.keys(), needed);
  return [...suspects].flatMap(([pack, { wrong, closed }]) => {
    const restorePoints = users.get(pack) ?? [];
    const writers = named.get(pack)?.writers;
    const isShut = closed === true && restorePoints.some((point) => manifests.opened.has(point));
    const why = isShut ? shut : wrong;
    if (why === undefined || (restorePoints.length === 0 && writers === undefined)) return [];
    const systems = new Set(restorePoints.map(({ record }) => record.system));
    for (const writer of writers ?? []) for (const system of systemsOf.get(writer)!) systems.add(system);
    return { pack, why, restorePoints, systems: [...systems].sort() };
  });
}

/** By id of each known writer, the systems that it writes for. */
function systemsByWriter({ points, trust }: WrongPacksRequest): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [writer, systems] of trust.writers ?? []) found.set(writerId(writer), new Set(systems));
  for (const { record } of points) {
    const id = writerId(record.writer);
    found.set(id, (found.get(id) ?? new Set()).add(record.system));
  }
  return found;
}

interface Named {
  /** Ids. */
  readonly writers: Set<string>;
  /** Of the tables of contents that the index says it has. */
  readonly hashes: Set<string>;
}

function namedPacks(reads: readonly ObjectsRead[], known: ReadonlyMap<string, unknown>): Map<string, Named> {
  const found = new Map<string, Named>();
  for (const { indexed } of reads) {
    for (const [writer, packs] of indexed) {
      if (!known.has(writer) || packs === 'unknown') continue;
      for (const [pack, hashes] of packs) {
        const named = found.get(pack) ?? { writers: new Set(), hashes: new Set() };
        named.writers.add(writer);
        for (const hash of hashes) named.hashes.add(hash);
        found.set(pack, named);
      }
    }
  }
  return found;
}

/** The restore points that need each of these packs. */
export function usersOf(
  packs: Iterable<string>,
  needed: NeededObjects,
): ReadonlyMap<string, ReadonlyArray<WithNeeds<RestorePoint>>> {
  const keys = new Map(Array.from(packs, (pack) => [packKey(pack), pack]));
  const users = [...needed.pointsThatNeed(keys.keys())];
  return new Map(users.map(([key, points]) => [keys.get(key)!, points]));
}

const shut = 'the key that opens its restore points does not open it';
const misnamed = 'the index of its writer says otherwise than its own table of contents';
