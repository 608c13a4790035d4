import type { Destination } from '../destination.ts';

/** How often a place was asked, by the name of what was asked. */
export type Requests = Readonly<Record<string, number>>;

export interface CountedDestination extends Destination {
  requests(): Requests;
}

/** Counts what is asked of a destination that does not count by itself. A listing counts once. */
export function withCount(destination: Destination): CountedDestination {
  const { requests } = destination;
  if (requests !== undefined) return { ...destination, requests };
  const counts: Record<string, number> = {};
  const count = (what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  return {
    ...destination,
    requests: () => ({ ...counts }),
    put(key, body, options) {
      count('put');
      return destination.put(key, body, options);
    },
    get(key, range, options) {
      count('get');
      return destination.get(key, range, options);
    },
    stat(key) {
      count('stat');
      return destination.stat(key);
    },
    list(prefix) {
      count('list');
      return destination.list(prefix);
    },
  };
}
