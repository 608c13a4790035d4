import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { OpenSystem } from './system.ts';

interface Recorded {
  readonly operation: string;
  readonly dataset?: string;
}

/** Notes in the catalog that a run began and how it ended, whatever happens in between. */
export async function recorded<T>(
  system: OpenSystem,
  what: Recorded,
  run: Run,
  work: () => Promise<{ readonly result: T; readonly restorePoint?: string; readonly isNo?: boolean }>,
): Promise<T> {
  const catalog = system.catalog();
  const id = catalog.begin({ ...what, startedMs: system.clock.now() });
  const before = { steps: run.timings.length, problems: run.problems.length };
  const ended = () => ({
    endedMs: system.clock.now(),
    steps: run.timings.slice(before.steps),
    problems: run.problems.slice(before.problems),
  });
  try {
    const { result, restorePoint, isNo = false } = await work();
    catalog.end(id, { ...ended(), outcome: isNo ? 'no' : 'done', ...(restorePoint !== undefined && { restorePoint }) });
    return result;
  } catch (error) {
    const errorCode = error instanceof LifeboatError ? error.code : 'unexpected';
    const outcome = run.signal.aborted ? 'interrupted' : 'failed';
    catalog.end(id, { ...ended(), outcome, errorCode, errorMessage: sentenceOf(error) });
    throw error;
  }
}
