import type { Destination } from '../destination.ts';

/** How often each verb was called. A listing counts once for a thousand keys, as providers bill it. */
export interface Requests {
  readonly put: number;
  readonly get: number;
  readonly stat: number;
  readonly list: number;
}

export interface CountedDestination extends Destination {
  requests(): Requests;
}

const keysInAPage = 1000;

/** Counts what is asked of a destination, for people who pay by the request. */
export function withCount(destination: Destination): CountedDestination {
  const counts = { put: 0, get: 0, stat: 0, list: 0 };

  async function* counted<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    counts.list++;
    let seen = 0;
    for await (const item of items) {
      if (seen > 0 && seen % keysInAPage === 0) counts.list++;
      seen++;
      yield item;
    }
  }

  return {
    ...destination,
    requests: () => ({ ...counts }),
    put(key, body, options) {
      counts.put++;
      return destination.put(key, body, options);
    },
    get(key, range, options) {
      counts.get++;
      return destination.get(key, range, options);
    },
    stat(key) {
      counts.stat++;
      return destination.stat(key);
    },
    list: (prefix) => counted(destination.list(prefix)),
  };
}
