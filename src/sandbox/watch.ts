import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatCount, formatSize } from '../core/size.ts';
import { watchDisk } from './disk-watch.ts';
import { sandboxLimit } from './errors.ts';
import { refusals } from './groups.ts';
import { type HeldLimit, type Hit, heldLimits, type Limits, memoryOf, raise, tookTooLong } from './limits.ts';
import { exactMemoryOf, firstIn, isThere, usageOf } from './usage.ts';

/** Looks at what the cells of a sandbox use. Once a limit was hit it stays hit. */
export interface Watch extends Disposable {
  /** One more cell, by the process on the host whose only child is the first inside. */
  add(pid: number): void;
  /** Looks now. @returns the `sandbox-limit` that was hit, whenever that was */
  look(): Promise<Error | undefined>;
  readonly held: readonly HeldLimit[];
  /** Waits until nothing of the cells runs any more, but not for ever. */
  ended(): Promise<void>;
}

const lookEveryMs = 100;
const endsWithinMs = 10_000;

/** `over` is called once, at the first hit. */
export function watchLimits(folder: string, limits: Limits, over: (why: Error) => void): Watch {
  const outer: number[] = [];
  const first = new Map<number, number>();
  const sharedBefore = memoryOf('Shmem');
  const deadline = performance.now() + limits.timeMs;
  let hit: { readonly of: HeldLimit['of'] | undefined; readonly error: Error } | undefined;
  let looking: Promise<void> | undefined;

  const cells = () => {
    for (const pid of outer) {
      const inside = first.get(pid) ?? firstIn(pid);
      if (inside !== undefined) first.set(pid, inside);
    }
    return [...first.values()].filter(isThere);
  };
  const disk = watchDisk(folder, limits, cells);
  const lookOnce = async () => {
    const found =
      (performance.now() > deadline ? tookTooLong(limits.timeMs) : undefined) ??
      refusedIn(limits) ??
      usedIn(cells(), limits, sharedBefore) ??
      hostIsShort(limits) ??
      (await disk.look());
    if (found === undefined || hit !== undefined) return;
    hit = { of: found.of, error: sandboxLimit(found) };
    over(hit.error);
  };
  const look = () => {
    looking ??= lookOnce()
      .catch(() => {}) // What went while it was looked at is looked at again.
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  const timer = setInterval(() => void look(), lookEveryMs);
  timer.unref();
  return {
    add(pid) {
      outer.push(pid);
    },
    async look() {
      await looking;
      if (hit === undefined) await look();
      return hit?.error;
    },
    get held() {
      return heldLimits(limits, hit?.of);
    },
    async ended() {
      const deadline = performance.now() + endsWithinMs;
      while (cells().length > 0 && performance.now() < deadline) await sleep(20);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const said = {
  memory: (limits: Limits): Hit => ({
    of: 'memory',
    why: `it took more memory than the ${formatSize(limits.memoryBytes)} that it may`,
    next: raise('memory'),
  }),
  processes: (limits: Limits): Hit => ({
    of: 'processes',
    why: `it started more processes and threads than the ${formatCount(limits.processes)} that it may`,
    next: raise('processes'),
  }),
};

/** What the kernel counted. */
function refusedIn(limits: Limits): Hit | undefined {
  if (limits.groups === undefined) return undefined;
  const { memory, processes } = refusals(limits.groups);
  return memory ? said.memory(limits) : processes ? said.processes(limits) : undefined;
}

/** What all processes of all cells use together. */
function usedIn(cells: readonly number[], limits: Limits, sharedBefore: number): Hit | undefined {
  const { tasks, openFiles, memoryBytes, temporaryBytes, full } = usageOf(cells);
  if (full !== undefined) {
    const next =
      'Raise drill.limits.memory in lifeboat.yaml, of which each such folder gets a part, or look at what it keeps there';
    return {
      of: 'temporary-files',
      why: `it filled its ${full.folder}, which has room for ${formatSize(full.bytes)}`,
      next,
    };
  }
  if (openFiles >= limits.openFiles) {
    const why = `it held more files open than the ${formatCount(limits.openFiles)} that it may`;
    return { of: 'open-files', why, next: raise('openFiles') };
  }
  if (limits.groups !== undefined) return undefined;
  if (tasks >= limits.processes) return said.processes(limits);
  const grown = memoryOf('Shmem') - sharedBefore > limits.memoryBytes / 4;
  // Forked processes count what they share each for itself: before it is too much it is counted exactly, which takes longer.
  if (memoryBytes + temporaryBytes < limits.memoryBytes && !grown) return undefined;
  return exactMemoryOf(cells, temporaryBytes) >= limits.memoryBytes ? said.memory(limits) : undefined;
}

function hostIsShort({ memoryBytes }: Limits): Hit | undefined {
  const available = memoryOf('MemAvailable');
  if (available >= Math.min(totalmem() / 20, memoryBytes / 2)) return undefined;
  const why = `this host had only ${formatSize(available)} of memory left`;
  return { why, next: 'Make room, or give the drill less with drill.limits.memory' };
}
