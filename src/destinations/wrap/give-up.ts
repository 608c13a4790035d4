import { performance } from 'node:perf_hooks';
import type { Destination } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';

export interface Waste {
  /** Waiting in vain for one place, over everything that a command asks of it. */
  readonly mostMs: number;
  /** An answer that was none counts as such a wait only when it took longer. */
  readonly slowMs: number;
}

const usual: Waste = { mostMs: 5 * 60_000, slowMs: 60_000 };

/**
 * Asks a place no more that was waited for in vain too long: each request has its deadline, and a vault has any number of objects.
 * Whoever has another place goes on with that one; whoever has none is told within minutes.
 */
export function withGivingUp(destination: Destination, { mostMs, slowMs }: Waste = usual): Destination {
  let wastedMs = 0;
  /** Requests wait side by side; time passes once. */
  let countedTo = 0;

  const requireHope = () => {
    if (wastedMs <= mostMs) return;
    const why = `it was waited for in vain for ${Math.ceil(wastedMs / 1000)} s in all, and is asked no more`;
    throw destinationUnreachable({ destination: destination.name, location: destination.location, why });
  };
  // A disk that cannot read one file may well read the next, and be the only one.
  const isOfMedium = (error: unknown) =>
    error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EIO';
  const isWaste = (error: unknown, tookMs: number) =>
    !isOfMedium(error) && (destinationUnreachable.is(error) || tookMs > slowMs);

  async function hoping<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    requireHope();
    const began = performance.now();
    try {
      return await work();
    } catch (error) {
      const ended = performance.now();
      if (!signal?.aborted && isWaste(error, ended - began)) {
        wastedMs += ended - Math.max(began, countedTo);
        countedTo = ended;
      }
      throw error;
    }
  }

  /** What a listing took counts once it fails, also where names had come before; of a long one that was answered, not all. */
  async function* hopingEach<T>(items: () => AsyncIterable<T>): AsyncGenerator<T> {
    requireHope();
    const iterator = items()[Symbol.asyncIterator]();
    let waitedMs = 0;
    try {
      for (;;) {
        const began = performance.now();
        const next = await iterator.next().finally(() => {
          waitedMs += performance.now() - began;
        });
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      if (isWaste(error, waitedMs)) wastedMs += Math.min(waitedMs, slowMs);
      throw error;
    } finally {
      await iterator.return?.();
    }
  }

  const { history } = destination;
  return {
    ...destination,
    ...(history && {
      history: {
        listVersions: (prefix) => hopingEach(() => history.listVersions(prefix)),
        versionsOf: (key) => hoping(() => history.versionsOf(key)),
        getVersion: (key, version, range, options) =>
          hoping(() => history.getVersion(key, version, range, options), options?.signal),
        lockOf: (key, version) => hoping(() => history.lockOf(key, version)),
        extendLock: (key, version, untilMs) => hoping(() => history.extendLock(key, version, untilMs)),
      },
    }),
    put: (key, body, options) => hoping(() => destination.put(key, body, options), options?.signal),
    get: (key, range, options) => hoping(() => destination.get(key, range, options), options?.signal),
    stat: (key) => hoping(() => destination.stat(key)),
    list: (prefix) => hopingEach(() => destination.list(prefix)),
    delete: (key, version) => hoping(() => destination.delete(key, version)),
    freeBytes: () => hoping(() => destination.freeBytes()),
  };
}
