import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until `look` gives something true and returns it; fails after `deadlineMs` with what was waited for. */
export async function until<T>(look: () => T | Promise<T>, deadlineMs = 120_000): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`still not so after ${deadlineMs} ms: ${look.toString()}`);
    await sleep(pauseMs);
  }
}
