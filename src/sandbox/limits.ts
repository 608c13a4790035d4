import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { roughDuration } from '../core/duration.ts';
import { type Groups, joinLines, makeGroups, memoryLeft } from './groups.ts';

/** What a drill may be given, as a person wrote it; the rest is chosen from what this host has. */
export interface LimitsAsked {
  readonly memoryBytes?: number;
  readonly processes?: number;
  readonly openFiles?: number;
  /** Beside the restored data. */
  readonly diskBytes?: number;
  /** Beside the restored data. */
  readonly files?: number;
  readonly timeMs: number;
}

/** What all cells of a sandbox together may use of this host, so that a bomb in restored code ends the drill and not the host. */
export interface Limits {
  /** Absent: memory and processes are held by looking, and by limits of each process. */
  readonly groups?: Groups;
  readonly memoryBytes: number;
  /** Threads count. */
  readonly processes: number;
  readonly openFiles: number;
  /** At which the kernel refuses one process more of them. */
  readonly refusedAt: { readonly processes: number; readonly openFiles: number };
  /** Of each folder in memory: /tmp, /dev/shm. */
  readonly temporaryBytes: number;
  /** With the restored data. */
  readonly diskBytes: number;
  readonly files: number;
  /** From when the sandbox is made, for all that is done in it. */
  readonly timeMs: number;
  /** Free room on the disk at which the drill ends, whoever took it. */
  readonly leastFreeBytes: number;
}

/** What one drill was held to, and how: for the evidence. */
export interface HeldLimit {
  readonly of: 'memory' | 'processes' | 'open-files' | 'temporary-files' | 'disk' | 'files' | 'time';
  /** Bytes, a number, or milliseconds. */
  readonly most: number;
  /** `watch`: Lifeboat looks every now and then, and ends the sandbox. */
  readonly by: 'cgroup-v2' | 'cgroup-v1' | 'rlimit' | 'tmpfs' | 'watch';
  readonly hit: boolean;
}

/** A limit that was hit, as `sandbox-limit` says it. */
export interface Hit {
  /** Absent: the host ran out of memory, which no limit of ours says. */
  readonly of?: HeldLimit['of'];
  readonly why: string;
  readonly next: string;
}

/**
 * The kernel counts refusals of control groups only. What is held without is ended by us at the limit, and refused by the kernel
 * a good deal later: whoever is refused something must have been seen before.
 */
const kernelLater = 4;
const usualBytes = 4 * 2 ** 30;
/** An application starts in less seldom. */
const leastBytes = 2 ** 28;
const usualFiles = 250_000;

/** Makes the control groups, where this host lets us. `needs`: what the restored data takes. */
export async function makeLimits(
  id: string,
  folder: string,
  needs: { readonly bytes: number; readonly files: number },
  asked: LimitsAsked,
): Promise<Limits> {
  const memoryBytes =
    asked.memoryBytes ?? Math.max(leastBytes, Math.floor(Math.min(memoryOf('MemAvailable'), memoryLeft()) / 2));
  const processes = asked.processes ?? 1024 + 256 * availableParallelism();
  const openOnHost = Number(readFileSync('/proc/sys/fs/file-max', 'utf8'));
  const openFiles = asked.openFiles ?? Math.min(65_536, Math.floor(openOnHost / 4));
  const refusedAt = {
    processes: Math.min(processes * kernelLater, ownLimit('processes')),
    // Nothing is used up faster.
    openFiles: Math.min(Number(readFileSync('/proc/sys/fs/nr_open', 'utf8')), ownLimit('open files')),
  };
  const { bavail, bsize, ffree } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const leastFreeBytes = Math.min(1 << 30, Math.floor(freeBytes / 20));
  const groups = makeGroups(id, memoryBytes, processes);
  return {
    ...(groups !== undefined && { groups }),
    memoryBytes,
    processes: groups === undefined ? Math.min(processes, Math.floor(refusedAt.processes / 2)) : processes,
    openFiles: Math.min(openFiles, Math.floor(refusedAt.openFiles / 2)),
    refusedAt,
    temporaryBytes: Math.floor(memoryBytes / 4),
    diskBytes: Math.min(needs.bytes + (asked.diskBytes ?? needs.bytes + usualBytes), freeBytes - leastFreeBytes),
    files: Math.min(needs.files + (asked.files ?? needs.files + usualFiles), ffree || Number.POSITIVE_INFINITY),
    timeMs: asked.timeMs,
    leastFreeBytes,
  };
}

/** Lines of a shell that bind it and what it becomes to the limits. Memory runs out for what is inside before anybody else. */
export function limitLines({ groups, refusedAt: { processes, openFiles } }: Limits): string[] {
  return [
    ...(groups === undefined ? [] : joinLines(groups)),
    'echo 1000 > /proc/self/oom_score_adj 2>/dev/null',
    'ulimit -c 0',
    // Not ulimit: shells know different letters for processes.
    `prlimit --pid $$ --nofile=${openFiles}:${openFiles} || exit 1`,
    ...(groups === undefined ? [`prlimit --pid $$ --nproc=${processes}:${processes} || exit 1`] : []),
  ];
}

export function heldLimits(limits: Limits, hit: HeldLimit['of'] | undefined): HeldLimit[] {
  const group = limits.groups?.by;
  const held = (of: HeldLimit['of'], most: number, by: HeldLimit['by']) => ({ of, most, by, hit: of === hit });
  return [
    held('memory', limits.memoryBytes, group ?? 'watch'),
    held('processes', limits.processes, group ?? 'rlimit'),
    held('open-files', limits.openFiles, 'rlimit'),
    held('temporary-files', limits.temporaryBytes, 'tmpfs'),
    held('disk', limits.diskBytes, 'watch'),
    held('files', limits.files, 'watch'),
    held('time', limits.timeMs, 'watch'),
  ];
}

/** What we are ourselves held to: not even every root may go beyond. */
function ownLimit(of: 'processes' | 'open files'): number {
  const hard = new RegExp(`^Max ${of} +\\S+ +(\\d+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
}

export function tookTooLong(timeMs: number): Hit {
  return {
    of: 'time',
    why: `it was not done after the ${roughDuration(timeMs)} that it may take`,
    next: 'Raise drill.limits.time in lifeboat.yaml, or look at what the restored database or the application does without end',
  };
}

/** What to do about a limit that may be raised. */
export function raise(key: string): string {
  return `Raise drill.limits.${key} in lifeboat.yaml, or look at what the application does when it starts`;
}

/** A line of /proc/meminfo, in bytes. */
export function memoryOf(name: 'MemAvailable' | 'Shmem'): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'));
  return line === null ? totalmem() : Number(line[1]) * 1024;
}
