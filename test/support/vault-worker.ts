import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished } from 'vitest';
import type { TestSystem } from './system.ts';
import type { VaultWork } from './vault-process.ts';

export interface Worker {
  readonly child: ChildProcess;
  /** All is loaded, and the work begins. */
  readonly begun: Promise<void>;
  readonly ended: Promise<{ readonly done: boolean; readonly killed: boolean; readonly said: string }>;
}

/** A process of its own that backs up or prunes; it may be killed or stopped. */
export function start(system: TestSystem, work: VaultWork['work'], more: Partial<VaultWork> = {}): Worker {
  const program = fileURLToPath(new URL('./vault-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
    stdio: 'pipe',
    // Starting is most of what a killed run does.
    env: { ...process.env, NODE_COMPILE_CACHE: inject('compileCache') },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const { folder, config, identity, packSizes } = system;
  const whole: VaultWork = { base: { folder, config, identity, packSizes }, work, faults: [], ...more };
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(whole));
  let said = '';
  const begun = new Promise<void>((resolve) => {
    const hear = (data: Buffer) => {
      said += data.toString();
      if (said.includes('begins\n')) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('close', () => resolve());
  });
  const ended = once(child, 'close').then(([, signal]) => ({
    done: said.includes('done\n'),
    killed: signal === 'SIGKILL',
    said,
  }));
  return { child, begun, ended };
}

/** The same, to its good end. */
export async function whole(system: TestSystem, work: VaultWork['work'], more?: Partial<VaultWork>): Promise<void> {
  const { done, said } = await start(system, work, more).ended;
  expect(done, said).toBe(true);
}
