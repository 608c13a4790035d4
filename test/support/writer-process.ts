import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface WriterProcess {
  /** The number of the last commit that it has told of. */
  committed(): number;
  /** Waits until it has committed `count` more. */
  progress(count: number): Promise<void>;
  kill(): Promise<void>;
}

/** Starts the program in sqlite-writer.ts on a database with its tables. Killed when the test ends. */
export async function startWriter(path: string, log: string): Promise<WriterProcess> {
  const program = fileURLToPath(new URL('./sqlite-writer.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, path, log], {
    stdio: 'inherit',
  });
  const kill = () => end(child);
  onTestFinished(kill);
  const committed = () => {
    try {
      return Number(readFileSync(log, 'utf8').trimEnd().split('\n').at(-1));
    } catch {
      return 0;
    }
  };
  const progress = async (count: number) => {
    const goal = committed() + count;
    const deadline = performance.now() + 30_000;
    while (committed() < goal) {
      if (child.exitCode !== null) throw new Error(`the writer ended with ${child.exitCode}`);
      if (performance.now() > deadline) throw new Error(`the writer stands still at ${committed()}`);
      await sleep(5);
    }
  };
  await progress(1);
  return { committed, progress, kill };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
