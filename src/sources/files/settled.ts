import { lstatSync, readFileSync, statfsSync } from 'node:fs';
import type { Clock } from '../../core/clock.ts';
import type { BytePath } from '../../core/paths.ts';
import { runCommand } from '../../process/run.ts';
import { onDisk } from '../file-system.ts';
import { mountPoints } from './mounts.ts';

/**
 * Until when the files of one file system are settled, in milliseconds since 1970; 0n where nobody knows. A file whose ctime is
 * before that cannot change any more without getting another ctime.
 */
export type SettledUntil = (folder: BytePath) => bigint;

/** Nothing is settled: every file is read. */
export const nothingSettled: SettledUntil = () => 0n;

/** The kernel's clock for files ticks every 1–10 ms: within one tick a file may change twice and show one time. */
const TICK_MS = 50;
/** Of a file system whose times are another host's, or coarse. */
const FOREIGN_MS = 15 * 60_000;
/** Longer than the kernel leaves anything unwritten. A disk that takes longer is in trouble, and the backup goes on. */
const SYNC_DEADLINE_MS = 60_000;

/** Of statfs(2). File systems of this host, which give every change its time when it is made. */
const prompt = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0xca451a4e]);
/** tmpfs, ramfs, hugetlbfs: nothing is ever written back, so what a program writes to mapped memory shows in no time. */
const inMemory = new Set([0x01021994, 0x858458f6, 0x958458f6]);
const overlay = 0x794c7630;

/**
 * A page that a program has mapped sets the file's time only when it is first written to after it went to the disk. So everything is
 * sent there first: from then on each first write to a page shows. (borg#3535: databases restored as they had been days before.)
 */
export async function settle(
  roots: readonly BytePath[],
  oneFileSystem: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<SettledUntil> {
  const inside = oneFileSystem ? [] : [...(await mountPoints())].map((path) => Buffer.from(path).toString('latin1'));
  const isIn = (path: BytePath) => roots.some((root) => path.startsWith(`${root === '/' ? '' : root}/`));
  const folders = [...roots, ...inside.filter(isIn)];
  const beganMs = clock.now();
  if (!(await synced(folders, signal))) return nothingSettled;
  const settledUntil: SettledUntil = (folder) => {
    const type = typeOf(folder);
    if (type === undefined || inMemory.has(type)) return 0n;
    return BigInt(Math.floor(beganMs) - (prompt.has(type) ? TICK_MS : FOREIGN_MS));
  };
  return settledUntil;
}

async function synced(folders: readonly BytePath[], signal: AbortSignal): Promise<boolean> {
  // Through xargs, because arguments of Node's children are text and names of files are bytes.
  const run = runCommand('xargs', ['-0', 'sync', '-f', '--'], {
    input: Buffer.from(folders.join('\0'), 'latin1'),
    signal,
    dieWithUs: false,
  }).then(
    () => true,
    () => false,
  );
  // A program that waits for a disk cannot be ended, so nobody waits for its end.
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), SYNC_DEADLINE_MS);
  const done = await Promise.race([run, late.promise]);
  clearTimeout(timer);
  signal.throwIfAborted();
  return done;
}

/** Whether a file system is one of this host's disks or of its memory: looking at it waits for nobody else. */
export function isOfThisHost(folder: BytePath): boolean {
  const type = typeOf(folder);
  return type !== undefined && (prompt.has(type) || inMemory.has(type));
}

/** Where files that are written to really lie; undefined where that cannot be told. */
function typeOf(folder: BytePath): number | undefined {
  try {
    const { type } = statfsSync(onDisk(folder));
    if (type !== overlay) return type;
    const upper = upperOf(folder);
    return upper === undefined ? undefined : statfsSync(upper).type;
  } catch {
    return undefined;
  }
}

/** The folder that an overlay writes to, as the kernel names it. In a container it is often out of sight. */
function upperOf(folder: BytePath): string | undefined {
  const { dev } = lstatSync(onDisk(folder), { bigint: true });
  const number = `${Number((dev >> 8n) & 0xfffn)}:${Number((dev & 0xffn) | ((dev >> 12n) & 0xfff00n))}`;
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((one) => one.split(' ')[2] === number);
  return line === undefined ? undefined : /[ ,]upperdir=([^,\s\\]+)/.exec(line)?.[1];
}
