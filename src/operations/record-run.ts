import type { EndedRun } from '../catalog/catalog.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { OpenSystem } from './system.ts';

interface Recorded {
  readonly operation: string;
  readonly dataset?: string;
}

/** Notes in the catalog that a run began and how it ended, whatever happens in between. Where that cannot be noted the work is done all the same. */
export async function recorded<T>(
  system: OpenSystem,
  what: Recorded,
  run: Run,
  work: () => Promise<{ readonly result: T; readonly restorePoint?: string; readonly isNo?: boolean }>,
): Promise<T> {
  const noted = <Noted>(note: () => Noted): Noted | undefined => {
    try {
      return note();
    } catch (error) {
      run.problem({ code: 'run-not-recorded', message: `The catalog does not tell of this: ${sentenceOf(error)}` });
      return undefined;
    }
  };
  const id = noted(() => system.catalog().begin({ ...what, startedMs: system.clock.now() }));
  const before = { steps: run.timings.length, problems: run.problems.length };
  const ended = () => ({
    endedMs: system.clock.now(),
    steps: run.timings.slice(before.steps),
    problems: run.problems.slice(before.problems),
  });
  const end = (run: EndedRun) => {
    if (id !== undefined) noted(() => system.catalog().end(id, run));
  };
  try {
    const { result, restorePoint, isNo = false } = await work();
    end({ ...ended(), outcome: isNo ? 'no' : 'done', ...(restorePoint !== undefined && { restorePoint }) });
    return result;
  } catch (error) {
    const errorCode = error instanceof LifeboatError ? error.code : 'unexpected';
    const outcome = run.signal.aborted ? 'interrupted' : 'failed';
    end({ ...ended(), outcome, errorCode, errorMessage: sentenceOf(error) });
    throw error;
  }
}
