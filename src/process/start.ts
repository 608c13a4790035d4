import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { sentenceOf } from '../core/errors.ts';
import { toolFailed, toolMissing, toolTimedOut } from './errors.ts';
import { debianPackageOf, findOnPath, isExecutable } from './programs.ts';
import { redactor } from './redact.ts';
import { writeSecretFiles } from './secret-files.ts';
import { startTail } from './tail.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ProcessOptions {
  readonly cwd?: string;
  /** The child gets these variables and PATH, HOME and LANG; nothing else of ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** The same, for values that must never be seen: they are taken out of everything that is captured. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** Variable → content: the child finds it in a file of its own (0600), named by the variable, removed when it ends. */
  readonly secretFiles?: Readonly<Record<string, string>>;
  /** Further texts to take out, such as the password that a secret file holds. */
  readonly secrets?: readonly string[];
  /** What it reads on its standard input. If this fails the child is stopped and `completed` throws the failure. */
  readonly input?: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** Where its standard output goes: a stream for us (the default), or only its last lines beside those of stderr. */
  readonly stdout?: 'stream' | 'tail';
  /** Stops it: SIGTERM to its whole process group, SIGKILL after `graceMs`. */
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
  /** Milliseconds between SIGTERM and SIGKILL; 5000 when absent. */
  readonly graceMs?: number;
  /** Runs it as this user, without supplementary groups. We must be root. */
  readonly asUser?: ProcessUser;
  /**
   * Whether the kernel kills it when we die, however we die. On when absent. Needs Linux and setpriv; elsewhere a child may
   * outlive us. Its own children are not covered.
   */
  readonly dieWithUs?: boolean;
  /** Named in `tool-missing`. */
  readonly debianPackage?: string;
  /** How much of stderr is kept; 16 KiB when absent. */
  readonly tailBytes?: number;
}

/** How a process ended: one of `exitCode` and `signal` is set. */
interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines of stderr, without secrets. */
  readonly stderrTail: string;
}

export interface RunningProcess extends AsyncDisposable {
  readonly tool: string;
  readonly pid: number;
  /** Its output, at the pace at which it is read. Whether the process then failed, only `ended` or `completed` tells. */
  readonly stdout: Readable;
  /** Resolves when it ended, however that was. */
  readonly ended: Promise<Ended>;
  /** `ended`, but throws `tool-failed`, `tool-timed-out`, the abort's reason or the input's failure. */
  completed(okExitCodes?: readonly number[]): Promise<Ended>;
  /** All of its output, then `completed`: a consumer that gets to the end has a whole output of a tool that succeeded. */
  output(): AsyncGenerator<Uint8Array, void, undefined>;
  /** The last lines so far, without secrets. */
  tail(): string;
  /** Ends it and what it started in its group: `signal` (SIGTERM), then SIGKILL after the grace. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** Starts a child process in a process group of its own. Throws `tool-missing`, or `tool-failed` when it cannot start. */
export async function startProcess(
  program: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<RunningProcess> {
  options.signal?.throwIfAborted();
  const tool = basename(program);
  const words = [await resolveProgram(program, options.debianPackage), ...args];
  const setpriv = (options.dieWithUs ?? true) && process.platform === 'linux' ? await findSetpriv() : undefined;
  if (setpriv !== undefined) words.unshift(setpriv, '--pdeathsig', 'KILL', '--');
  const secretFiles = await writeSecretFiles(options.secretFiles ?? {}, options.asUser);
  try {
    const [command, ...rest] = words as [string, ...string[]];
    const child = spawn(command, rest, {
      // Our own folder may be closed to another user.
      cwd: options.cwd ?? (options.asUser === undefined ? undefined : '/'),
      env: { ...childEnvironment(options), ...secretFiles.env },
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...options.asUser,
    });
    await once(child, 'spawn').catch((error: unknown) => {
      throw toolFailed({ tool, how: 'it could not be started', said: sentenceOf(error) }, { cause: error });
    });
    return supervise(child, tool, options, secretFiles.remove);
  } catch (error) {
    await secretFiles.remove();
    throw error;
  }
}

function supervise(
  child: ChildProcess,
  tool: string,
  options: ProcessOptions,
  cleanUp: () => Promise<void>,
): RunningProcess {
  const { signal, deadlineMs, graceMs = 5000 } = options;
  const tail = startTail(options.tailBytes ?? 16 << 10, redactor(secretsOf(options)));
  const pid = child.pid as number;
  const stdout = options.stdout === 'tail' ? (child.stdout as Readable) : untilRead(child.stdout as Readable);
  const stderr = child.stderr as Readable;
  const timers = new Set<NodeJS.Timeout>();
  let exited = false;
  let stopping = false;
  let why: (() => unknown) | undefined;

  const stop = (first: NodeJS.Signals = 'SIGTERM') => {
    if (!exited && !stopping) {
      stopping = true;
      signalGroup(pid, first);
      timers.add(setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs));
    }
    return ended;
  };
  const stopBecause = (reason: () => unknown) => {
    if (exited) return;
    why ??= reason;
    void stop();
  };
  const onAbort = () => stopBecause(() => signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  if (deadlineMs !== undefined) {
    const late = () => stopBecause(() => toolTimedOut({ tool, deadlineMs, said: tail.sentence() }));
    timers.add(setTimeout(late, deadlineMs));
  }

  // Without a listener an error of a stream that nobody reads would end us.
  for (const stream of [child, stdout, stderr]) stream.on('error', () => {});
  stderr.on('data', tail.add);
  if (options.stdout === 'tail') stdout.on('data', tail.add);
  const ended = (async (): Promise<Ended> => {
    const [exitCode, by] = await exitOf(child);
    exited = true;
    // What it left running in its group: only when it was told to stop, for a tool may leave a server behind on purpose.
    if (stopping) signalGroup(pid, 'SIGKILL');
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    await endOf(stderr, graceMs);
    child.stdin?.destroy();
    await cleanUp();
    return { exitCode, signal: by, stderrTail: tail.text() };
  })();

  if (options.input !== undefined) {
    const failed = (error: unknown) => {
      stopBecause(() => error);
      return ended;
    };
    void feed(child.stdin as Writable, options.input, failed);
  }

  const completed = async (okExitCodes: readonly number[] = [0]) => {
    const end = await ended;
    if (why !== undefined) throw why();
    if (end.exitCode !== null && okExitCodes.includes(end.exitCode)) return end;
    const how = end.signal === null ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
    throw toolFailed({ tool, how, said: tail.sentence() });
  };

  return {
    tool,
    pid,
    stdout,
    ended,
    completed,
    async *output() {
      try {
        for await (const chunk of stdout) yield chunk as Uint8Array;
        await completed();
      } finally {
        await stop();
      }
    },
    tail: () => tail.text(),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      stdout.destroy();
    },
  };
}

/** When a process ends, Node reads on and drops what nobody has begun to read: a short output would be none at all. */
function untilRead(output: Readable): Readable {
  // Piece by piece as it came: streams of bytes join what waits into one, which is a copy of everything.
  const held = new PassThrough({ readableObjectMode: true });
  // How it ended is told by its reader's end, and by the process.
  void pipeline(output, held).catch(() => {});
  return held;
}

/** Writes the input. A child that stops reading is its own affair (its exit code tells); a failing input is not. */
async function feed(
  stdin: Writable,
  input: NonNullable<ProcessOptions['input']>,
  failed: (error: unknown) => Promise<Ended>,
): Promise<void> {
  async function* source() {
    if (typeof input === 'string' || input instanceof Uint8Array) {
      yield input;
      return;
    }
    // By hand, not with `yield*`: a broken pipe is thrown in at the `yield`, and would look like the input's own failure.
    const chunks = input[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await chunks.next();
        if (next.done) return;
        try {
          yield next.value;
        } catch {
          await chunks.return?.();
          return;
        }
      }
    } catch (error) {
      // The pipe stays open until the child is gone: it must never take half of its input for all of it.
      await failed(error);
    }
  }
  await pipeline(Readable.from(source()), stdin).catch(() => {});
}

async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  return (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
}

/** Waits for the end of a stream, but not for long: a process left behind may hold it open for ever. */
async function endOf(stream: Readable, limitMs: number): Promise<void> {
  if (stream.closed) return;
  const closed = once(stream, 'close');
  const timer = setTimeout(() => stream.destroy(), limitMs);
  await closed.catch(() => {});
  clearTimeout(timer);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // EPERM: the rest of the group became another user's.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

function childEnvironment(options: ProcessOptions): Record<string, string> {
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin',
    LANG: 'C.UTF-8',
  };
  if (process.env.HOME !== undefined && options.asUser === undefined) env.HOME = process.env.HOME;
  return { ...env, ...options.env, ...options.secretEnv };
}

function secretsOf({ secretEnv = {}, secretFiles = {}, secrets = [] }: ProcessOptions): string[] {
  const contents = Object.values(secretFiles);
  return [...secrets, ...Object.values(secretEnv), ...contents, ...contents.flatMap((content) => content.split('\n'))];
}

/** The full path of a program that can be run. @throws `tool-missing` */
export async function resolveProgram(program: string, debianPackage?: string): Promise<string> {
  const path = program.includes('/') ? program : await findOnPath(program);
  if (path !== undefined && (await isExecutable(path))) return path;
  const tool = basename(program);
  const looked = program.includes('/') ? program : 'PATH';
  throw toolMissing({ tool, looked, debianPackage: debianPackage ?? debianPackageOf(tool) });
}

let setpriv: Promise<string | undefined> | undefined;

/** setpriv, where it can set the signal that the kernel sends a child when its parent dies (busybox's cannot). */
function findSetpriv(): Promise<string | undefined> {
  setpriv ??= findOnPath('setpriv').then(
    (path) =>
      path &&
      new Promise((resolve) => {
        const words = ['--pdeathsig', 'KILL', '--', path, '--version'];
        // Not even this one inherits what is in our environment.
        execFile(path, words, { env: childEnvironment({}) }, (error) => resolve(error ? undefined : path));
      }),
  );
  return setpriv;
}
