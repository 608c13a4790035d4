import type { Clock } from './clock.ts';

/** Something that was seen on the way and that a person should know. The work went on without it. */
export interface Problem {
  /** Stable, lower-case words joined by hyphens, e.g. `file-unreadable`. */
  readonly code: string;
  readonly message: string;
  /** Said on standard error whatever was asked for, also with --quiet and --json. */
  readonly urgent?: true;
}

export interface Progress {
  /** What is being counted, in a word or two: `uploads: 1,204 files`. */
  readonly label?: string;
  readonly doneBytes?: number;
  /** Absent while unknown. */
  readonly totalBytes?: number;
  readonly doneItems?: number;
  readonly totalItems?: number;
}

/** What an operation tells its caller while it runs. The caller shows, logs or records it; operations never print. */
export type RunEvent = Said & {
  /** Of the run that says it: two that go side by side may have one name. */
  readonly id: number;
  /** Its name with those around it, `app/store`. */
  readonly step: string;
};

type Said =
  | { readonly type: 'step-started' }
  | { readonly type: 'step-ended'; readonly elapsedMs: number; readonly failed: boolean }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'problem'; readonly problem: Problem };

/**
 * One run of one operation, or one step of it, which is a run of its own: who works in it is handed it, so that steps side by side keep
 * their names and what they say apart. It ends when the user interrupts or a deadline passes, and its events go where the first one's do.
 */
export interface Run {
  readonly clock: Clock;
  /** Aborted when the user interrupts or a deadline passes; everything that waits listens to it. */
  readonly signal: AbortSignal;
  /** Runs `work` as the step `name`: timed, announced; an error rises unchanged, and `stepOf` knows where it began. */
  step<T>(name: string, work: (run: Run) => Promise<T>): Promise<T>;
  /** The same step, counting anew: its timings and problems are those from now on. */
  part(): Run;
  progress(progress: Progress): void;
  problem(problem: Problem): void;
  /** What the steps in it took so far, as they ended, in milliseconds. Names count from the outermost run: `outer/inner`. */
  readonly timings: readonly Timing[];
  readonly problems: readonly Problem[];
}

export interface Timing {
  readonly step: string;
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

interface Collected {
  readonly timings: Timing[];
  readonly problems: Problem[];
}

export function startRun({ clock, signal = new AbortController().signal, onEvent = () => {} }: RunOptions): Run {
  let ids = 0;

  function runAt(step: string, around: readonly Collected[]) {
    const id = ids++;
    const own: Collected = { timings: [], problems: [] };
    const all = [...around, own];
    const say = (said: Said) => onEvent({ ...said, id, step });
    const run: Run = {
      clock,
      signal,
      ...own,
      async step(name, work) {
        signal.throwIfAborted();
        const inner = runAt(step === '' ? name : `${step}/${name}`, all);
        const started = clock.elapsed();
        inner.say({ type: 'step-started' });
        let failed = true;
        try {
          const result = await work(inner.run);
          failed = false;
          return result;
        } catch (error) {
          if (error instanceof Error && !origins.has(error)) origins.set(error, inner.step);
          throw error;
        } finally {
          const elapsedMs = clock.elapsed() - started;
          for (const { timings } of all) timings.push({ step: inner.step, elapsedMs });
          inner.say({ type: 'step-ended', elapsedMs, failed });
        }
      },
      part: () => runAt(step, all).run,
      progress: (progress) => say({ type: 'progress', progress }),
      problem(problem) {
        for (const { problems } of all) problems.push(problem);
        say({ type: 'problem', problem });
      },
    };
    return { run, step, say };
  }

  return runAt('', []).run;
}

/** Whose they are stays as it is: an error is somebody else's object, and may be thrown to several steps. */
const origins = new WeakMap<Error, string>();

/** The innermost step that an error came out of. */
export function stepOf(error: unknown): string | undefined {
  return error instanceof Error ? origins.get(error) : undefined;
}
