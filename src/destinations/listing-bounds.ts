import { performance } from 'node:perf_hooks';
import { destinationUnreachable } from './errors.ts';

/** How long a listing may go on. A place that lies could give names for ever, or one of them a minute. */
export interface ListingBounds {
  /** That it may be waited for before any name has come. */
  readonly firstMs: number;
  /** What it gives at least after that. */
  readonly namesPerSecond: number;
  /** What the opening of a folder may take besides. A vault has hundreds, and each costs round trips, whatever is in it. */
  readonly folderMs: number;
  /** Names in all, also those that are none of ours. Absent: what a vault may have. */
  readonly mostNames?: number;
}

export const usualListingBounds: ListingBounds = { firstMs: 60_000, namesPerSecond: 100, folderMs: 2000 };

/** Where each name costs a round trip of its own: on a disk that may be a mount from far away. */
export const mountListingBounds: ListingBounds = { ...usualListingBounds, namesPerSecond: 10 };

/** More than a vault has: whoever plays a disk can play any number of empty ones. */
const mostSlowFolders = 10_000;

/** Two million packs are 32 TB. Of all else that is small, there are not so many: each is held in memory and read. */
const mostLarge = 2_000_000;
const mostSmall = 250_000;
/** Of packs a folder has a 256th. */
const mostInFolder = mostSmall;

export interface ListingGuard {
  /** Waits for the opening of a folder, which brings no names by itself. @throws `destination-unreachable` where names come too slowly */
  openFolder<Result>(work: () => Promise<Result>): Promise<Result>;
  /** For one folder: tells of each name whether it comes for the first time. @throws the same where there are more than in any folder of a vault */
  newNames(): (name: string) => boolean;
  /** Waits for a page of names and counts them. @throws the same, also where there are more than a vault has */
  page<Page extends readonly unknown[] | undefined>(fetch: () => Promise<Page>): Promise<Page>;
}

/** For one listing. Only what it is waited for counts, not what is done with the names. */
export function listingGuard(
  place: { readonly name: string; readonly location: string },
  prefix: string,
  { firstMs, namesPerSecond, folderMs, mostNames = mostUnder(prefix) }: ListingBounds = usualListingBounds,
): ListingGuard {
  let names = 0;
  let folders = 0;
  let waiting = 0;
  let since = 0;
  let waitedMs = 0;
  const refuse = (why: string) => destinationUnreachable({ destination: place.name, location: place.location, why });
  const timed = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (waiting++ === 0) since = performance.now();
    return work().finally(() => {
      // Pages are waited for side by side; time passes once.
      if (--waiting === 0) waitedMs += performance.now() - since;
    });
  };
  const requirePace = () => {
    if (waitedMs <= firstMs + (names / namesPerSecond) * 1000 + Math.min(folders, mostSlowFolders) * folderMs) return;
    throw refuse(`its listing gave ${names} names in ${Math.ceil(waitedMs / 1000)} s and was given up`);
  };
  return {
    async openFolder(open) {
      const result = await timed(open);
      folders++;
      requirePace();
      return result;
    },
    newNames() {
      // Whoever plays a folder could name one object a million times, and each time it would be read.
      const before = new Set<string>();
      return (name) => {
        if (before.has(name)) return false;
        before.add(name);
        if (before.size <= mostInFolder) return true;
        throw refuse(`one of its folders gave more than ${mostInFolder} names and was given up`);
      };
    },
    async page(fetch) {
      const page = await timed(fetch);
      names += page?.length ?? 0;
      if (names > mostNames) throw refuse(`its listing gave more than ${mostNames} names and was given up`);
      requirePace();
      return page;
    },
  };
}

function mostUnder(prefix: string): number {
  return prefix === '' || /^(packs|manifests|logs)\//.test(prefix) ? mostLarge : mostSmall;
}
