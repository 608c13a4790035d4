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
export type RunEvent =
  | { readonly type: 'step-started'; readonly step: string }
  | { readonly type: 'step-ended'; readonly step: string; readonly elapsedMs: number; readonly failed: boolean }
  | { readonly type: 'progress'; readonly step: string; readonly progress: Progress }
  | { readonly type: 'problem'; readonly step: string; readonly problem: Problem };

/** One run of one operation: named steps, a way to stop it, and where its events go. */
export interface Run {
  readonly clock: Clock;
  /** Aborted when the user interrupts or a deadline passes; everything that waits listens to it. */
  readonly signal: AbortSignal;
  /** Runs `work` as the step `name`: timed, announced; an error rises unchanged with `step` set on it. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  progress(progress: Progress): void;
  problem(problem: Problem): void;
  /** What the steps took so far, in order, in milliseconds. Nested steps are named `outer/inner`. */
  readonly timings: ReadonlyArray<{ readonly step: string; readonly elapsedMs: number }>;
  readonly problems: readonly Problem[];
}

export interface RunOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export function startRun(options: RunOptions): Run {
  const { clock } = options;
  const signal = options.signal ?? new AbortController().signal;
  const emit = options.onEvent ?? (() => {});
  const timings: { step: string; elapsedMs: number }[] = [];
  const problems: Problem[] = [];
  const path: string[] = [];
  const here = () => path.join('/');

  return {
    clock,
    signal,
    timings,
    problems,
    async step(name, work) {
      signal.throwIfAborted();
      path.push(name);
      const step = here();
      const started = clock.elapsed();
      emit({ type: 'step-started', step });
      let failed = true;
      try {
        const result = await work();
        failed = false;
        return result;
      } catch (error) {
        if (error instanceof Error && !('step' in error)) Object.assign(error, { step });
        throw error;
      } finally {
        path.pop();
        const elapsedMs = clock.elapsed() - started;
        timings.push({ step, elapsedMs });
        emit({ type: 'step-ended', step, elapsedMs, failed });
      }
    },
    progress(progress) {
      emit({ type: 'progress', step: here(), progress });
    },
    problem(problem) {
      problems.push(problem);
      emit({ type: 'problem', step: here(), problem });
    },
  };
}
