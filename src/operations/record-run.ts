import type { EndedRun } from '../catalog/catalog.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { OpenSystem } from './system.ts';

export interface Recorded {
  readonly operation: string;
  readonly dataset?: string;
}

/** Notes in the catalog that a run began and how it ended, whatever happens in between. Where that cannot be noted the work is done all the same. */
export async function recorded<T>(
  system: OpenSystem,
  what: Recorded,
  whole: Run,
  work: (run: Run) => Promise<{ readonly result: T; readonly restorePoint?: string; readonly isNo?: boolean }>,
): Promise<T> {
  // What went before in the same command is not this one's.
  const run = whole.part();
  const noted = <Noted>(note: () => Noted): Noted | undefined => {
    try {
      return note();
    } catch (error) {
      run.problem({ code: 'run-not-recorded', message: `The catalog does not tell of this: ${sentenceOf(error)}` });
      return undefined;
    }
  };
  const id = noted(() => system.catalog().begin({ ...what, startedMs: system.clock.now() }));
  const ended = () => ({ endedMs: system.clock.now(), steps: run.timings, problems: run.problems });
  const end = (how: EndedRun) => {
    if (id !== undefined) noted(() => system.catalog().end(id, how));
  };
  try {
    const { result, restorePoint, isNo = false } = await work(run);
    end({ ...ended(), outcome: isNo ? 'no' : 'done', ...(restorePoint !== undefined && { restorePoint }) });
    return result;
  } catch (error) {
    const errorCode = error instanceof LifeboatError ? error.code : 'unexpected';
    const outcome = run.signal.aborted ? 'interrupted' : 'failed';
    end({ ...ended(), outcome, errorCode, errorMessage: sentenceOf(error) });
    throw error;
  }
}
