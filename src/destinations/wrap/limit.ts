import type { Destination } from '../destination.ts';
import { openGate } from './gate.ts';
import { wrapVerbs } from './verbs.ts';

/** At most `most` verbs at once; the others wait in turn. A listing counts only while it fetches, not while it is read. */
export function withLimit(destination: Destination, most: number): Destination {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`a limit is a whole number from 1: ${most}`);
  const { pass } = openGate(most);

  async function* limitedEach<T>(begin: () => AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = begin()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await pass(() => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  return wrapVerbs(destination, { one: pass, each: limitedEach });
}
