import { performance } from 'node:perf_hooks';
import type { Destination } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';
import { wrapVerbs } from './verbs.ts';

export interface Waste {
  /** Waiting in vain for one place, over everything that a command asks of it. */
  readonly mostMs: number;
  /** An answer that was none counts as such a wait only when it took longer. */
  readonly slowMs: number;
  /** What a good answer makes up for at least, however soon it came. */
  readonly madeUpMs: number;
}

const usual: Waste = { mostMs: 5 * 60_000, slowMs: 60_000, madeUpMs: 100 };

/**
 * Bounds how long a place is waited for in vain: a deadline bounds one request only, and a vault has any number of objects. Once that
 * is over the place is asked no more. Whoever has another place goes on with that one; whoever has none is told within minutes.
 * A good answer makes up for as much waiting as it took itself: a place that fails now and then over a long day is kept, and one that
 * lies in between takes a command no longer than a slow place may, and those minutes. Nothing is saved up for later.
 */
export function withGivingUp(destination: Destination, { mostMs, slowMs, madeUpMs }: Waste = usual): Destination {
  let wastedMs = 0;
  /** Requests wait side by side; time passes once. */
  let countedTo = 0;
  let madeUpTo = 0;

  const requireHope = () => {
    if (wastedMs <= mostMs) return;
    const why = `it was waited for in vain for ${Math.ceil(wastedMs / 1000)} s in all, and is asked no more`;
    throw destinationUnreachable({ destination: destination.name, location: destination.location, why });
  };
  // A disk that cannot read one file may well read the next, and be the only one.
  const isOfMedium = (error: unknown) =>
    error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EIO';
  const note = (error: unknown, waitedMs: number, countedMs = waitedMs) => {
    if (isOfMedium(error) || !(destinationUnreachable.is(error) || waitedMs > slowMs)) return;
    const now = performance.now();
    wastedMs += Math.min(countedMs, now - countedTo);
    countedTo = now;
  };
  const makeUpFor = (waitedMs: number) => {
    const now = performance.now();
    wastedMs = Math.max(0, wastedMs - Math.max(madeUpMs, Math.min(waitedMs, now - madeUpTo)));
    madeUpTo = now;
  };

  async function hoping<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    requireHope();
    const began = performance.now();
    try {
      const answer = await work();
      makeUpFor(performance.now() - began);
      return answer;
    } catch (error) {
      if (!signal?.aborted) note(error, performance.now() - began);
      throw error;
    }
  }

  async function* hopingEach<T>(begin: () => AsyncIterable<T>): AsyncGenerator<T> {
    requireHope();
    const iterator = begin()[Symbol.asyncIterator]();
    let waitedMs = 0;
    try {
      for (;;) {
        const began = performance.now();
        const next = await iterator.next().finally(() => {
          waitedMs += performance.now() - began;
        });
        if (next.done) return makeUpFor(waitedMs);
        yield next.value;
      }
    } catch (error) {
      // Also where names had come before it failed; of a long listing that was answered for the most part, not all.
      note(error, waitedMs, Math.min(waitedMs, slowMs));
      throw error;
    } finally {
      await iterator.return?.();
    }
  }

  return wrapVerbs(destination, { one: hoping, each: hopingEach });
}
