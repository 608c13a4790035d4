import { expect } from 'vitest';
import type { HostileStage, Who } from './stage.ts';

type Held = readonly [of: string, byRoot: string, byUser: string];

/** Each bomb, the limit that it hits, and what holds that: for root, and for an ordinary user or where groups cannot be made. */
export const bombs: Readonly<Record<string, Held>> = {
  forks: ['processes', 'cgroup-v[12]', 'rlimit'],
  threads: ['processes', 'cgroup-v[12]', 'rlimit'],
  memory: ['memory', 'cgroup-v[12]', 'watch'],
  shared: ['memory', 'cgroup-v[12]', 'watch'],
  memfd: ['memory', 'cgroup-v[12]', 'watch'],
  crowd: ['memory', 'cgroup-v[12]', 'watch'],
  tmp: ['temporary-files', 'tmpfs', 'tmpfs'],
  shm: ['temporary-files', 'tmpfs', 'tmpfs'],
  disk: ['disk', 'watch', 'watch'],
  unnamed: ['disk', 'watch', 'watch'],
  files: ['files', 'watch', 'watch'],
  descriptors: ['open-files', 'rlimit', 'rlimit'],
  copies: ['open-files', 'rlimit', 'rlimit'],
  'crowded-descriptors': ['open-files', 'rlimit', 'rlimit'],
};

/** Of a stage for bombs: small, so that each ends soon. */
export const limits = '{ memory: 256 MiB, processes: 300, openFiles: 5000, disk: 150 MiB, files: 5000 }';

export function attack(name: string): string {
  return `{ type: command, run: 'exec "$RESTORED_APP/attack" ${name}', timeout: 60s }`;
}

/** Lets a bomb loose in a drill: it ends inconclusive, names the limit and what to do, and leaves the host as it was. */
export async function expectBombEnds(stage: HostileStage, kind: string, who: Who | 'root without groups') {
  const { outcome } = await stage.drill({ bomb: attack(`bomb-${kind}`) });
  const why = outcome.why.join(' ');
  expect(why).not.toContain('NOT STOPPED');
  expect(why).toMatch(/^bomb: What ran in the sandbox was ended: .* Raise drill\.limits\.\w+ in lifeboat\.yaml/);
  expect(outcome.verdict).toBe('inconclusive');
  const [of, byRoot, byOthers] = bombs[kind] as Held;
  const hit = outcome.isolation?.limits.filter((one) => one.hit).map((one) => `${one.of} ${one.by}`);
  expect(hit).toEqual([expect.stringMatching(`^${of} ${who === 'root' ? byRoot : byOthers}$`)]);
  expect(await stage.host.harm()).toEqual([]);
  expect(stage.remains()).toEqual([]);
}
