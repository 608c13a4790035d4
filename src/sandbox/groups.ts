import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quote } from './tree.ts';

/** Control groups of one sandbox: what they hold is counted, and refused, by the kernel. */
export interface Groups {
  readonly by: 'cgroup-v2' | 'cgroup-v1';
  /** Folders of the control groups; with version 2 both are one. */
  readonly memory: string;
  readonly processes: string;
}

const root = '/sys/fs/cgroup';

/**
 * Makes groups below our own, or as near to it as this host lets us: what limits us must limit the sandbox. Undefined where
 * there are none to be had.
 */
export function makeGroups(id: string, memoryBytes: number, processes: number): Groups | undefined {
  const name = `lifeboat-drill-${id}`;
  for (const parent of placesOfVersion2()) {
    const group = join(parent, name);
    const settings = [
      ['memory.max', memoryBytes],
      ['memory.swap.max', 0],
      ['pids.max', processes],
    ] as const;
    if (hasControllers(parent) && tryGroup(group, settings))
      return { by: 'cgroup-v2', memory: group, processes: group };
  }
  const [memory, pids] = [join(ownGroup('memory'), name), join(ownGroup('pids'), name)];
  const most = [
    ['memory.limit_in_bytes', memoryBytes],
    ['memory.memsw.limit_in_bytes', memoryBytes],
  ] as const;
  if (tryGroup(memory, most) && tryGroup(pids, [['pids.max', processes]]))
    return { by: 'cgroup-v1', memory, processes: pids };
  removeFolder(memory);
  return undefined;
}

/** Bytes that our own groups still leave; infinite where none limits us. What is kept of files goes when room is needed. */
export function memoryLeft(): number {
  const left = (folder: string, most: string, used: string) => {
    const limit = Number(content(join(folder, most)) || 'none');
    const kept = content(join(folder, 'memory.stat')).matchAll(/^(?:in)?active_file (\d+)$/gm);
    const files = [...kept].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
    return Number.isFinite(limit) ? limit - Number(content(join(folder, used)) || 0) + files : Number.POSITIVE_INFINITY;
  };
  return Math.min(
    ...placesOfVersion2().map((folder) => left(folder, 'memory.max', 'memory.current')),
    left(ownGroup('memory'), 'memory.limit_in_bytes', 'memory.usage_in_bytes'),
  );
}

/** Our own group of version 2 and those around it, the nearest first. */
function placesOfVersion2(): string[] {
  const mounted = [root, join(root, 'unified')].find((one) => existsSync(join(one, 'cgroup.controllers')));
  const own = /^0::(.*)$/m.exec(content('/proc/self/cgroup'))?.[1];
  if (mounted === undefined || own === undefined) return [];
  const places: string[] = [];
  for (let at = join(mounted, own); at.length >= mounted.length; at = dirname(at)) places.push(at);
  return places;
}

/** Our own group of a controller of version 1; its topmost where ours is not in sight. */
function ownGroup(controller: string): string {
  const line = content('/proc/self/cgroup')
    .split('\n')
    .find((one) => one.split(':')[1]?.split(',').includes(controller));
  const own = join(root, controller, line?.split(':').slice(2).join(':') ?? '');
  return existsSync(own) ? own : join(root, controller);
}

function hasControllers(folder: string): boolean {
  const given = content(join(folder, 'cgroup.subtree_control')).split(/\s+/);
  return ['memory', 'pids'].every((one) => given.includes(one));
}

function tryGroup(folder: string, settings: ReadonlyArray<readonly [string, number]>): boolean {
  try {
    mkdirSync(folder);
    for (const [file, value] of settings) {
      // What is there to swap is counted only by kernels that were asked to.
      if (!file.includes('sw') || existsSync(join(folder, file))) writeFileSync(join(folder, file), String(value));
    }
    // A folder that we may make is not yet one that we may move processes to.
    if (process.getuid?.() !== 0) execFileSync('sh', ['-c', joinLine(folder)], { stdio: 'ignore' });
    return true;
  } catch {
    removeFolder(folder);
    return false;
  }
}

/** A line of a shell that moves it, and what it becomes, there. */
function joinLine(folder: string): string {
  return `echo $$ > ${quote(join(folder, 'cgroup.procs'))} || exit 1`;
}

/** Lines of a shell that move it, and what it becomes, into the groups. */
export function joinLines(groups: Groups): string[] {
  return [...new Set([groups.memory, groups.processes])].map(joinLine);
}

/** Whether the kernel refused something there since the groups were made. */
export function refusals({ memory, processes }: Groups): { readonly memory: boolean; readonly processes: boolean } {
  return {
    memory:
      counted(memory, 'memory.events', 'oom_kill') + counted(memory, 'memory.events', 'oom') > 0 ||
      counted(memory, 'memory.oom_control', 'oom_kill') > 0,
    processes: counted(processes, 'pids.events', 'max') > 0,
  };
}

function counted(group: string, file: string, name: string): number {
  const line = content(join(group, file))
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}

/** Groups of a drill, by its name, wherever they were made. */
export function groupsNamed(id: string): string[] {
  const name = `lifeboat-drill-${id}`;
  const below = (folder: string): string[] =>
    folders(folder).flatMap((one) => (one.endsWith(`/${name}`) ? [one] : below(one)));
  const version2 = placesOfVersion2().at(-1);
  return [join(root, 'memory'), join(root, 'pids'), ...(version2 === undefined ? [] : [version2])].flatMap(below);
}

function folders(at: string): string[] {
  try {
    const entries = readdirSync(at, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(at, name));
  } catch {
    return []; // There is none of this kind, or it went just now.
  }
}

const endsWithinMs = 10_000;

/** Ends what still runs in the groups, waits until it is gone, and removes them. What would not go, `gc` tries again. */
export async function removeGroups(groups: readonly string[]): Promise<void> {
  const deadline = performance.now() + endsWithinMs;
  for (const group of groups) {
    while (!removeFolder(group) && performance.now() < deadline) {
      for (const pid of content(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
      await sleep(20);
    }
  }
}

/** @returns whether it is gone */
function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
  } catch {
    // It was never made, or is not empty yet.
  }
  return !existsSync(folder);
}

function content(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
