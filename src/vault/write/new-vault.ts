import { formatDuration } from '../../core/duration.ts';
import type { Run } from '../../core/run.ts';
import { newUlid, ulidTime } from '../../core/ulid.ts';
import { clockAhead } from '../errors.ts';
import { aheadToleranceMs } from '../trust.ts';
import { readWriterKeys } from '../writer/key-file.ts';
import type { Copies } from './copies.ts';
import type { WriterOptions } from './session.ts';

/**
 * The id of a vault that is about to be made: the one that this host's keys name already, where there is one. It holds the time at
 * which it was made, and no store's clock counts before that: one made under a clock that runs ahead would take every later restore
 * point's witness away. @throws `clock-ahead`
 */
export async function idOfNewVault(keyFile: string, options: WriterOptions, copies: Copies, run: Run): Promise<string> {
  await refuseClockAhead(options, copies, run);
  const keys = readWriterKeys(keyFile);
  const nowMs = run.clock.now();
  // Planned by `init` before the clock was set right: nothing was signed for it yet.
  const isWrong = keys?.unused === true && ulidTime(keys.vault) > nowMs + aheadToleranceMs;
  return keys === undefined || isWrong ? newUlid(nowMs, options.random) : keys.vault;
}

async function refuseClockAhead({ random }: WriterOptions, copies: Copies, run: Run): Promise<void> {
  for (const destination of [...copies.active]) {
    const key = `probe/${newUlid(run.clock.now(), random)}`;
    try {
      await destination.put(key, Buffer.from('clock'), { signal: run.signal });
      const { modifiedMs } = await destination.stat(key);
      // An account that can only add leaves it there: nothing needs it, and `verify` passes over it.
      await destination.delete(key).catch(() => {});
      const aheadMs = run.clock.now() - modifiedMs;
      if (aheadMs > aheadToleranceMs) throw clockAhead({ destination: destination.name, by: formatDuration(aheadMs) });
    } catch (error) {
      if (clockAhead.is(error)) throw error;
      copies.drop(destination, error);
    }
  }
}
