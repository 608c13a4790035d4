import { createHash, randomBytes } from 'node:crypto';
import { readFile, readlink, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { readdirOrEmpty } from './folders.ts';

/**
 * Where objects are written before they get their name. Its dot keeps it out of every key. It is also the mark that this
 * folder is a destination and not the empty mount point of a disk that is not there.
 */
export const incomingName = '.incoming';

/** A new name that tells later who was writing: `<host>-<pid>-<start>-<random>`. */
export async function incomingFile(): Promise<string> {
  const { host, pid, start } = await ourselves();
  return `${host}-${pid}-${start}-${randomBytes(8).toString('hex')}`;
}

const day = 24 * 60 * 60_000;

/** Removes what writers that are gone left half written. Of another host's writers only time tells: after a day. */
export async function removeLeftovers(root: string, clock: Clock): Promise<void> {
  const folder = join(root, incomingName);
  for (const name of await readdirOrEmpty(folder)) {
    if (await isLeftover(folder, name, clock)) {
      // Who may only read cannot clean up, and need not.
      await unlink(join(folder, name)).catch(() => {});
    }
  }
}

async function isLeftover(folder: string, name: string, clock: Clock): Promise<boolean> {
  const [host, pid, start] = name.split('-');
  if (host === (await ourselves()).host && /^\d+$/.test(pid ?? '')) {
    const now = await startOf(Number(pid));
    // An id is used again, by a process that started later. Where the start is hidden, a living process is taken for it.
    return now === undefined || (now !== start && now !== hidden && start !== hidden);
  }
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && clock.now() - found.mtimeMs > day;
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
