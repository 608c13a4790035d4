import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Lets everything else have its turn, and hears whether it is to stop: a process that computes in one piece hears no signal. What takes
 * long is cut into pieces of well under a second, with this between them. @throws the reason of `signal`
 */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}

/** So many take far less than a second, whatever is done with each. */
const most = 1000;

/**
 * One after the other, and now and then a turn for everything else: who goes through a million of them at once hears no signal meanwhile.
 */
export async function* unhurried<Item>(items: Iterable<Item>, signal: AbortSignal): AsyncGenerator<Item> {
  let left = most;
  for (const item of items) {
    yield item;
    if (--left > 0) continue;
    left = most;
    await breathe(signal);
  }
}
