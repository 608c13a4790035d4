import { randomInt } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Destination } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';
import { wrapVerbs } from './verbs.ts';

export interface RetryPolicy {
  /** How often a verb is tried in all. */
  readonly attempts: number;
  /** The pause after the first failure; it doubles each time, up to the longest. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Must reject when `signal` is aborted. */
  readonly sleep: (timeMs: number, signal?: AbortSignal) => Promise<unknown>;
  /** From 0 up to 1: pauses are shortened by up to half, so that many writers do not come back at once. */
  readonly random: () => number;
}

const usual: RetryPolicy = {
  attempts: 4,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
  sleep: (timeMs, signal) => wait(timeMs, undefined, signal && { signal }),
  random: () => randomInt(2 ** 32) / 2 ** 32,
};

/** Does `work`, again where it failed with `destination-unreachable`, and only then. */
export async function tryAgain<T>(
  work: () => Promise<T>,
  signal?: AbortSignal,
  policy: Partial<RetryPolicy> = {},
): Promise<T> {
  const { attempts, firstPauseMs, longestPauseMs, sleep, random } = { ...usual, ...policy };
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !destinationUnreachable.is(error)) throw error;
      const pauseMs = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs);
      signal?.throwIfAborted();
      await sleep(pauseMs * (1 - random() / 2), signal).catch((interrupted: unknown) => {
        throw signal?.aborted ? signal.reason : interrupted;
      });
    }
  }
}

/** Tries again what failed with `destination-unreachable`, and nothing else: every verb may be repeated. */
export function withRetry(destination: Destination, policy: Partial<RetryPolicy> = {}): Destination {
  const retried = <T>(work: () => Promise<T>, signal?: AbortSignal) => tryAgain(work, signal, policy);

  async function* retriedFirst<T>(begin: () => AsyncIterable<T>): AsyncGenerator<T> {
    // Once something was handed out, starting anew would hand it out twice. Adapters with pages retry a page themselves.
    const [first, rest] = await retried(async () => {
      const iterator = begin()[Symbol.asyncIterator]();
      return [await iterator.next(), iterator] as const;
    });
    try {
      for (let next = first; !next.done; next = await rest.next()) yield next.value;
    } finally {
      await rest.return?.();
    }
  }

  return wrapVerbs(destination, { one: retried, each: retriedFirst });
}
