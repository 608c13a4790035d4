import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { compileCache } from '../../core/compile-cache.ts';
import { startProcess } from '../../process/start.ts';
import type { AskedCopy, QueryOptions, Rows } from '../engine.ts';
import { queryTooSlow } from '../errors.ts';

const program = fileURLToPath(new URL('./query-process.ts', import.meta.url));

export async function* querySqlite(copy: AskedCopy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  const { timeoutMs, signal } = options;
  const words = ['--disable-warning=ExperimentalWarning', program, copy.outside];
  await using child = await startProcess(process.execPath, words, { env: compileCache(), input: query, signal });
  let late = false;
  const timer = openStopwatch(timeoutMs, () => {
    late = true;
    void child.stop('SIGKILL');
  });
  try {
    let columns: string[] | undefined;
    for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
      timer.pause();
      if (columns === undefined) {
        columns = JSON.parse(line) as string[];
        yield { columns, rows: [] };
      } else yield { columns, rows: JSON.parse(line) as (string | null)[][] };
      timer.go();
    }
    const end = await child.ended;
    signal.throwIfAborted();
    if (late) throw queryTooSlow({ dataset: copy.dataset, timeoutMs });
    if (end.exitCode !== 0) throw new Error(end.stderrTail.trim() || `signal ${end.signal}`);
  } finally {
    timer.pause();
  }
}

interface Stopwatch {
  go(): void;
  pause(): void;
}

/** Runs from now on; `ring` is called when it has run for `leftMs`. */
function openStopwatch(leftMs: number, ring: () => void): Stopwatch {
  let left = leftMs;
  let since = performance.now();
  let timer = setTimeout(ring, left);
  return {
    go() {
      since = performance.now();
      timer = setTimeout(ring, left);
    },
    pause() {
      clearTimeout(timer);
      left = Math.max(0, left - (performance.now() - since));
    },
  };
}
