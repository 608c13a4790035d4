import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ProcessState, StartOrder } from '../protocol.ts';

const keptBytes = 32 << 10;

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  chunks: Buffer[];
  sizeBytes: number;
  timedOut: boolean;
  readonly ended: Promise<unknown>;
}

/** What is started has none of the rights that the agent keeps for itself, and ends with it. */
const withoutOurs =
  process.platform === 'linux' ? ['/usr/bin/setpriv', '--inh-caps=-all', '--pdeathsig=KILL', '--'] : [];

const started = new Map<string, Started>();
export async function start(order: StartOrder): Promise<{ pid: number }> {
  const former = started.get(order.name);
  if (former !== undefined && isRunning(former)) throw new Error(`${order.name} runs already`);
  const [program, ...words] = [...withoutOurs, ...order.words] as [string, ...string[]];
  const child = spawn(program, words, {
    cwd: order.directory,
    env: order.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...order.user,
  });
  await once(child, 'spawn');
  const process = { child, pid: child.pid ?? -1, chunks: [], sizeBytes: 0, timedOut: false, ended: exitOf(child) };
  started.set(order.name, process);
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => keep(process, chunk));
  return { pid: process.pid };
}

export async function run(order: StartOrder & { readonly timeoutMs: number }): Promise<ProcessState> {
  await start(order);
  const process = started.get(order.name) as Started;
  const timer = setTimeout(() => {
    process.timedOut = true;
    signalGroup(process.pid, 'SIGKILL');
  }, order.timeoutMs);
  await process.ended;
  clearTimeout(timer);
  // What a command leaves in the background must not outlive its check.
  signalGroup(process.pid, 'SIGKILL');
  started.delete(order.name);
  return state(process);
}

export function look(name: string): ProcessState {
  return state(find(name));
}

export async function stop(name: string, signal: NodeJS.Signals, graceMs: number): Promise<ProcessState> {
  const process = find(name);
  signalGroup(process.pid, signal);
  const timer = setTimeout(() => signalGroup(process.pid, 'SIGKILL'), graceMs);
  await process.ended;
  clearTimeout(timer);
  signalGroup(process.pid, 'SIGKILL');
  return state(process);
}

export function endAll(): void {
  for (const { pid } of started.values()) signalGroup(pid, 'SIGKILL');
}

function find(name: string): Started {
  const process = started.get(name);
  if (process === undefined) throw new Error(`${name} was never started`);
  return process;
}

function keep(process: Started, chunk: Buffer): void {
  process.chunks.push(chunk);
  process.sizeBytes += chunk.length;
  if (process.sizeBytes > 2 * keptBytes) join(process);
}

function join(process: Started): Buffer {
  const all = Buffer.concat(process.chunks);
  const kept = Buffer.from(all.subarray(Math.max(0, all.length - keptBytes)));
  process.chunks = [kept];
  process.sizeBytes = kept.length;
  return kept;
}

function state(process: Started): ProcessState {
  const { exitCode, signalCode } = process.child;
  return {
    running: isRunning(process),
    exitCode,
    signal: signalCode,
    tail: join(process).toString('utf8'),
    timedOut: process.timedOut,
  };
}

function isRunning({ child }: Started): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Its end, and then its output's, but not for long: something in the background may hold the pipe. */
async function exitOf(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  await once(child, 'exit');
  const timer = setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, 500);
  await closed;
  clearTimeout(timer);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}
