import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { quote } from './tree.ts';

/** What a sandbox may use of this host, so that a bomb in restored code ends the drill and not the host. */
export interface Limits {
  /** What holds the limits of memory and processes. */
  readonly by: 'cgroup-v2' | 'cgroup-v1' | 'rlimits';
  readonly memoryBytes: number;
  readonly processes: number;
  readonly openFiles: number;
  readonly sharedMemoryBytes: number;
  /** Free room on the disk at which the drill ends. */
  readonly leastFreeBytes: number;
  /** Folders of the control groups, to be removed in the end. */
  readonly groups: readonly string[];
}

const root = '/sys/fs/cgroup';

/** Makes the control groups, where this host lets us. */
export async function makeLimits(id: string, folder: string): Promise<Limits> {
  const memoryBytes = Math.floor(availableMemory() * 0.8);
  const { bavail, bsize } = await statfs(folder);
  const common = {
    memoryBytes,
    processes: 1024 + 256 * availableParallelism(),
    openFiles: 65_536,
    sharedMemoryBytes: Math.floor(memoryBytes / 4),
    leastFreeBytes: Math.min(1 << 30, Math.floor((bavail * bsize) / 20)),
  };
  const name = `lifeboat-drill-${id}`;
  const settings = (memory: string): ReadonlyArray<readonly [string, number]> => [
    [memory, memoryBytes],
    ['pids.max', common.processes],
  ];
  if (isController(root, 'memory') && isController(root, 'pids')) {
    const group = join(root, name);
    if (tryGroup(group, settings('memory.max'))) return { ...common, by: 'cgroup-v2', groups: [group] };
  }
  const [memory, pids] = [join(root, 'memory', name), join(root, 'pids', name)];
  if (existsSync(join(root, 'memory')) && existsSync(join(root, 'pids'))) {
    const made =
      tryGroup(memory, [['memory.limit_in_bytes', memoryBytes]]) && tryGroup(pids, [['pids.max', common.processes]]);
    if (made) return { ...common, by: 'cgroup-v1', groups: [memory, pids] };
    removeGroups([memory, pids]);
  }
  return { ...common, by: 'rlimits', groups: [] };
}

function isController(folder: string, name: string): boolean {
  try {
    return readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').split(/\s+/).includes(name);
  } catch {
    return false;
  }
}

function tryGroup(folder: string, settings: ReadonlyArray<readonly [string, number]>): boolean {
  try {
    mkdirSync(folder);
    for (const [file, value] of settings) writeFileSync(join(folder, file), String(value));
    return true;
  } catch {
    removeGroups([folder]);
    return false;
  }
}

/** Their processes are gone by then; a group that something is still in stays, and `gc` tries again. */
export function removeGroups(groups: readonly string[]): void {
  for (const group of groups) {
    try {
      rmdirSync(group);
    } catch {
      // It was never made, or is not empty yet.
    }
  }
}

/** Ends what still runs in the groups, and waits for nothing. */
export function killGroups(groups: readonly string[]): void {
  for (const group of groups) {
    for (const pid of processesIn(group)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
  }
}

function processesIn(group: string): number[] {
  try {
    return readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Lines of a shell that bind it and what it becomes to the limits. Memory runs out for what is inside before anybody else. */
export function limitLines({ groups, processes, openFiles, by, memoryBytes }: Limits): string[] {
  return [
    ...groups.map((group) => `echo $$ > ${quote(join(group, 'cgroup.procs'))} || exit 1`),
    'echo 1000 > /proc/self/oom_score_adj 2>/dev/null',
    'ulimit -c 0',
    // Not ulimit: shells know different letters for processes.
    `prlimit --pid $$ --nofile=${openFiles}:${openFiles} 2>/dev/null`,
    ...(by === 'rlimits'
      ? [`prlimit --pid $$ --nproc=${processes}:${processes} --data=${memoryBytes}:${memoryBytes} || exit 1`]
      : []),
  ];
}

/** Which limit was hit since the groups were made, if any. */
export function limitHit({ groups }: Limits): string | undefined {
  for (const group of groups) {
    if (counted(group, 'pids.events', 'max') > 0) return 'it started more processes than it may';
    if (counted(group, 'memory.events', 'oom_kill') > 0 || counted(group, 'memory.oom_control', 'oom_kill') > 0) {
      return 'it took more memory than it may';
    }
  }
  return undefined;
}

function counted(group: string, file: string, name: string): number {
  try {
    const line = readFileSync(join(group, file), 'utf8')
      .split('\n')
      .find((one) => one.startsWith(`${name} `));
    return Number(line?.split(' ')[1] ?? 0);
  } catch {
    return 0;
  }
}

const lookEveryMs = 200;

/**
 * Looks every now and then whether the disk under `folder` or the memory of this host runs out, and calls `over` once, with why.
 * What writes to a restored copy cannot be held by a quota everywhere.
 */
export function watchRoom(folder: string, limits: Limits, over: (why: string) => void): Disposable {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void statfs(folder)
      .then(({ bavail, bsize, ffree, files }) => {
        if (bavail * bsize < limits.leastFreeBytes) end('it filled the disk');
        else if (files > 0 && ffree < Math.min(1000, files / 100)) end('it used up the inodes of the disk');
        else if (limits.by === 'rlimits' && availableMemory() < totalmem() / 20) end('it took the memory of this host');
      })
      .catch(() => {})
      .finally(() => {
        busy = false;
      });
  }, lookEveryMs);
  timer.unref();
  const end = (why: string) => {
    clearInterval(timer);
    over(why);
  };
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function availableMemory(): number {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return line === null ? totalmem() : Number(line[1]) * 1024;
}

/** Groups of a drill that was killed, by its name. */
export function groupsNamed(id: string): string[] {
  const name = `lifeboat-drill-${id}`;
  const places = [root, ...(existsSync(root) ? readdirSync(root).map((one) => join(root, one)) : [])];
  return places.map((place) => join(place, name)).filter((path) => existsSync(path));
}
