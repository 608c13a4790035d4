import type { Destination } from '../destination.ts';
import { wrapVerbs } from './verbs.ts';

/** At most `most` verbs at once; the others wait in turn. A listing counts only while it fetches, not while it is read. */
export function withLimit(destination: Destination, most: number): Destination {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`a limit is a whole number from 1: ${most}`);
  const waiting: (() => void)[] = [];
  let running = 0;

  async function limited<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (running < most) running++;
    else await turn(waiting, signal);
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  async function* limitedEach<T>(begin: () => AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = begin()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await limited(() => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  return wrapVerbs(destination, { one: limited, each: limitedEach });
}

/** Waits until a place is handed over. Who is aborted leaves the queue and takes none. */
function turn(waiting: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const enter = () => {
    signal?.removeEventListener('abort', leave);
    resolve();
  };
  const leave = () => {
    waiting.splice(waiting.indexOf(enter), 1);
    reject(signal?.reason);
  };
  signal?.addEventListener('abort', leave, { once: true });
  waiting.push(enter);
  return promise;
}
