import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';
import type { Fault } from '../../src/destinations/wrap/fault.ts';
import type { TestSystem } from './system.ts';

export interface Death {
  /** The run came to its end before it could be killed. */
  readonly completed: boolean;
}

export interface Killing {
  readonly faults?: readonly Fault[];
  /** Killed so long after the backup began. */
  readonly afterMs?: number;
}

/** Backs up in a process of its own, which is killed by a fault or after a time. Fails when it ended in any other way. */
export async function backUpKilled(system: TestSystem, { faults = [], afterMs }: Killing): Promise<Death> {
  const program = fileURLToPath(new URL('./backup-with-faults.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Starting is most of what a killed run does.
    env: { ...process.env, NODE_COMPILE_CACHE: inject('compileCache') },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { folder, config, identity, packSizes } = system;
  const script = faults.map(({ key, ...fault }) => ({ ...fault, key: key?.source }));
  child.stdin.end(JSON.stringify({ base: { folder, config, identity, packSizes }, script }));
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString();
    if (said === 'begins\n' && afterMs !== undefined) sleep(afterMs).then(() => child.kill('SIGKILL'));
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the backup ended with ${code ?? signal}`);
  return { completed: said.endsWith('done\n') };
}
