import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs';

/**
 * What the processes of a cell use, seen from the host. Each cell is named by its first process: its own /proc tells exactly who
 * is in it. Its root and what is mounted there cannot be changed from inside, so the ways to them lead nowhere else.
 */

export interface Usage {
  /** Processes and their threads. */
  readonly tasks: number;
  readonly openFiles: number;
  /** Of the processes, counted for each: what forked ones share counts several times. */
  readonly memoryBytes: number;
  /** In folders that lie in memory. */
  readonly temporaryBytes: number;
  readonly full?: { readonly folder: string; readonly bytes: number };
}

const foldersInMemory = ['/tmp', '/run', '/dev/shm'];
/** A folder in memory is full where less than this part of it is free. */
const fullPart = 1 / 256;
/** Of one process, where what is open is looked at one by one. */
const mostLookedAt = 4096;

export function usageOf(cells: readonly number[]): Usage {
  let [tasks, openFiles, memoryBytes, temporaryBytes] = [0, 0, 0, 0];
  let full: Usage['full'];
  for (const one of processesOf(cells)) {
    const status = content(`${one}/status`);
    tasks += numberIn(status, 'Threads');
    memoryBytes += 1024 * (numberIn(status, 'RssAnon') + numberIn(status, 'VmSwap'));
    openFiles += openIn(`${one}/fd`);
  }
  for (const cell of cells) {
    for (const folder of foldersInMemory) {
      const found = statOf(`/proc/${cell}/root${folder}`);
      if (found === undefined) continue;
      const { blocks, bfree, bsize, files, ffree } = found;
      temporaryBytes += (blocks - bfree) * bsize;
      if (bfree < blocks * fullPart || ffree < files * fullPart) full = { folder, bytes: blocks * bsize };
    }
  }
  return { tasks, openFiles, memoryBytes, temporaryBytes, ...(full && { full }) };
}

/**
 * Bytes of memory: of what several share its part for each, and what lies in folders (`temporaryBytes`) or has no name. Takes
 * longer.
 */
export function exactMemoryOf(cells: readonly number[], temporaryBytes: number): number {
  let [own, mapped] = [0, 0];
  const unnamed = new Map<number, number>();
  for (const one of processesOf(cells)) {
    const rollup = content(`${one}/smaps_rollup`);
    own += 1024 * (numberIn(rollup, 'Pss_Anon') + numberIn(rollup, 'SwapPss'));
    mapped += 1024 * numberIn(rollup, 'Pss_Shmem');
    for (const { path, name } of openOf(one)) {
      if (name.startsWith('/memfd:')) noteSize(path, unnamed);
    }
  }
  // What is mapped may lie there as well: it is not counted twice.
  return own + Math.max(mapped, temporaryBytes + sumOf(unnamed));
}

/** Bytes on disk of files that have no name any more and are still open. */
export function deletedBytesOf(cells: readonly number[]): number {
  const deleted = new Map<number, number>();
  for (const one of processesOf(cells)) {
    for (const { path, name } of openOf(one)) {
      if (name.endsWith(' (deleted)') && !name.startsWith('/memfd:')) noteSize(path, deleted);
    }
  }
  return sumOf(deleted);
}

/** The first process inside a cell: the only child of the one that made it. */
export function firstIn(maker: number): number | undefined {
  const first = Number.parseInt(content(`/proc/${maker}/task/${maker}/children`), 10);
  return Number.isNaN(first) || !names(`/proc/${first}/root/proc`).includes('self') ? undefined : first;
}

/** A number that is used again is not of a cell: those have another process 1. */
export function isThere(first: number): boolean {
  const status = content(`/proc/${first}/status`);
  return /^NSpid:.*\t1$/m.test(status) && !/^State:\s+[ZX]/m.test(status);
}

function processesOf(cells: readonly number[]): string[] {
  return cells.flatMap((cell) => {
    const own = `/proc/${cell}/root/proc`;
    return names(own).flatMap((name) => (/^\d+$/.test(name) ? [`${own}/${name}`] : []));
  });
}

function openOf(one: string): { path: string; name: string }[] {
  return names(`${one}/fd`)
    .slice(0, mostLookedAt)
    .flatMap((fd) => {
      const path = `${one}/fd/${fd}`;
      try {
        return [{ path, name: readlinkSync(path) }];
      } catch {
        return []; // closed meanwhile
      }
    });
}

function noteSize(path: string, into: Map<number, number>): void {
  try {
    const { ino, blocks } = statSync(path);
    into.set(ino, blocks * 512);
  } catch {
    // Closed meanwhile.
  }
}

function sumOf(sizes: ReadonlyMap<number, number>): number {
  return [...sizes.values()].reduce((sum, one) => sum + one, 0);
}

/** Newer kernels (6.2) say it without naming each. */
function openIn(folder: string): number {
  try {
    return statSync(folder).size || readdirSync(folder).length;
  } catch {
    return 0;
  }
}

function statOf(folder: string) {
  try {
    return statfsSync(folder);
  } catch {
    return undefined; // Its cell ended.
  }
}

function numberIn(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // It ended.
  }
}

function content(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
