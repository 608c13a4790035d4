import { createHash, randomBytes } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/**
 * Where objects are written before they get their name, in destinations that are folders. Its dot keeps it out of every key.
 * It is also the mark that a folder is a destination and not the empty mount point of a disk that is not there.
 */
export const incomingName = '.incoming';

/** A new name that tells later who was writing: `<host>-<pid>-<start>-<random>`. */
export async function incomingFile(): Promise<string> {
  const { host, pid, start } = await ourselves();
  return `${host}-${pid}-${start}-${randomBytes(8).toString('hex')}`;
}

const day = 24 * 60 * 60_000;

/** Exactly what `incomingFile` makes: what has another name is not ours to remove. */
const ourName = /^(?<host>[0-9a-f]{12})-(?<pid>\d{1,10})-(?<start>\d{1,20}|unknown)-[0-9a-f]{16}$/;

/** Whether the writer of a half-written object is gone. Of another host's writers only time tells: after a day. */
export async function isLeftover(name: string, nowMs: number, modifiedMs: number): Promise<boolean> {
  const { host, pid, start } = ourName.exec(name)?.groups ?? {};
  if (host === undefined) return false;
  if (host === (await ourselves()).host) {
    const now = await startOf(Number(pid));
    // An id is used again, by a process that started later. Where the start is hidden, a living process is taken for it.
    return now === undefined || (now !== start && now !== hidden && start !== hidden);
  }
  return nowMs - modifiedMs > day;
}

interface Writer {
  /** Process ids mean something only in one PID namespace of one host. */
  readonly host: string;
  readonly pid: number;
  readonly start: string;
}

/** Stands for a start that /proc does not show: another user's, or no Linux. */
const hidden = 'unknown';

let found: Promise<Writer> | undefined;

function ourselves(): Promise<Writer> {
  found ??= (async () => {
    const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
    const host = createHash('sha256').update(`${hostname()} ${namespace}`).digest('hex').slice(0, 12);
    return { host, pid: process.pid, start: (await startOf(process.pid)) ?? hidden };
  })();
  return found;
}

/** When a process started, in the kernel's ticks since boot; undefined when it is gone. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; the fields after it are numbers.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isAlive(pid) ? hidden : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
