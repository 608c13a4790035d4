import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** One command as a person would type it. */
export interface Command {
  /** Run by `/bin/bash -o pipefail -c`: a pipe's failure counts wherever it happens. */
  readonly line: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that also mean done: borg ends with 1 after a mere warning. */
  readonly alsoDone?: readonly number[];
}

export interface Measured {
  readonly wallMs: number;
  /** User and system time of all processes of the command, as bash's `time` tells it. */
  readonly cpuMs: number;
  /** The most that all living processes together held: the sum of their own high-water marks (VmHWM), not of the shell's. */
  readonly peakBytes: number;
}

const sampleEveryMs = 20;
const timeMark = 'measured cpu seconds:';

/** Runs a command to its end. Throws with its last words when it fails. */
export async function measure(command: Command, signal?: AbortSignal): Promise<Measured> {
  const started = performance.now();
  const script = `TIMEFORMAT='${timeMark} %U %S'\ntime { ${command.line}\n}`;
  const child = spawn('/bin/bash', ['-o', 'pipefail', '-c', script], {
    cwd: command.cwd,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    // Its own process group, so that an interrupt ends a whole pipe.
    detached: true,
  });
  let words = '';
  const listen = (text: Buffer) => {
    words = (words + text).slice(-3000);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);

  let peakBytes = 0;
  const sample = () => {
    if (child.pid !== undefined) peakBytes = Math.max(peakBytes, heldBytes(child.pid));
  };
  const sampling = setInterval(sample, sampleEveryMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const wallMs = performance.now() - started;
    if (code !== 0 && !command.alsoDone?.includes(code ?? -1)) {
      throw new Error(`exit ${code}: ${command.line}\n${words}`);
    }
    return { wallMs, peakBytes, cpuMs: cpuMsIn(words) };
  } finally {
    clearInterval(sampling);
    endGroup(child.pid);
  }
}

function cpuMsIn(words: string): number {
  const [, user, system] = new RegExp(`${timeMark} ([\\d.]+) ([\\d.]+)`).exec(words) ?? [];
  if (user === undefined || system === undefined) throw new Error(`no time in: ${words}`);
  return (Number(user) + Number(system)) * 1000;
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is empty, as it should be.
  }
}

/**
 * What a process and everything that it started hold. The bash around it is left out, and a child that has not become another
 * program yet: it still shares its parent's memory, which would count twice.
 */
function heldBytes(pid: number, parentLine?: string): number {
  let bytes = 0;
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const isOwn = !status.startsWith('Name:\tbash\n') && line !== parentLine;
    if (isOwn) bytes = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1');
      for (const child of children.split(' ')) if (child.trim() !== '') bytes += heldBytes(Number(child), line);
    }
  } catch {
    // It ended while it was looked at.
  }
  return bytes;
}
