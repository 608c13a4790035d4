import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Lets everything else have its turn, and hears whether it is to stop: a process that computes in one piece hears no signal. What takes
 * long is cut into pieces of well under a second, with this between them. @throws the reason of `signal`
 */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}
