import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DrillOutcome } from '../../src/operations/drill/parts.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { attack, expectBombEnds, limits } from './hostile/bombs.ts';
import { compile, type HostileStage, type Ran, setHostileStage, whos } from './hostile/stage.ts';

/** The programs of hostile/programs.c, and the least number of ways that each must have tried. */
const programs: Readonly<Record<string, number>> = {
  rights: 5,
  mounts: 11,
  'mounts-new': 5,
  unmounts: 4,
  tracing: 10,
  environments: 2,
  'other-roots': 6,
  descriptors: 4,
  signals: 7,
  userns: 9,
  namespaces: 8,
  keys: 5,
  'kernel-calls': 9,
  'kernel-code': 7,
  'kernel-files': 16,
  devices: 18,
  terminals: 4,
  handles: 2,
  secrets: 9,
  canaries: 3,
  runtime: 5,
  executables: 5,
  'set-user': 2,
  sockets: 8,
  fifos: 3,
  network: 9,
  'other-calls': 1,
  shared: 4,
  flood: 1,
  daemons: 1,
  poisoned: 9,
};

let built: TemporaryFolder;
beforeAll(async () => {
  built = await makeTemporaryFolder({ open: true });
  compile(built.path);
});
afterAll(() => built[Symbol.asyncDispose]());

function checkOf({ checks }: DrillOutcome, id: string) {
  return checks.find((check) => check.id === id) ?? { verdict: 'missing', message: 'no such check' };
}

const isRoot = process.getuid?.() === 0;

/** Programs that may be let loose on a host for a moment, and what each must reach there: else its refusals prove nothing. */
const unheld: Readonly<Record<string, readonly string[]>> = {
  rights: ['no-process-holds-dangerous-rights', 'no-new-privileges', 'seccomp', 'bounding-set', 'capset'],
  mounts: ['tmpfs', 'bind', 'rbind', 'proc', 'remount-root', 'overlay'],
  'mounts-new': ['fsopen', 'fspick', 'open_tree', 'move_mount', 'mount_setattr'],
  unmounts: ['every-mount'],
  tracing: ['attach-first', 'vm-write-first', 'vm-read-first', 'mem-first', 'pidfd_getfd'],
  userns: [
    'unshare-user',
    'unshare-user-mount',
    'unshare-mount',
    'unshare-net',
    'clone-user',
    'clone3-user',
    'clone3-mount',
  ],
  namespaces: ['mnt', 'pid', 'net', 'uts', 'pidfd'],
  keys: ['add_key', 'keyctl-session', 'keyctl-join'],
  'kernel-calls': ['bpf', 'perf', 'io_uring', 'userfaultfd', 'fanotify', 'syslog', 'clock', 'hostname'],
  'kernel-files': ['core_pattern', 'swappiness'],
  devices: ['kmsg', 'made-at-home', 'made-in-tmp', 'restored'],
  handles: ['root-by-number', 'by-handle'],
  secrets: ['identity', 'state', 'vault', 'ssh', 'home-of-another', 'config-secret', 'shadow', 'root'],
  sockets: ['stream-0', 'dgram-0', 'stream-2', 'dgram-2'],
  fifos: ['fifo-0', 'fifo-2'],
  shared: ['segment'],
  'other-calls': ['clone-with-high-bits'],
  network: ['raw', 'packet', 'interface-down', 'netlink'],
};

/** What a program's own mark says: `refused` only when it tried all that it should, and nothing of it went through. */
function markOf(outcome: DrillOutcome, name: string): string {
  const { message } = checkOf(outcome, name);
  const mark = /\| (\S+) tried (\d+), (.*)$/.exec(message);
  if (mark?.[1] !== name) return `left no mark: ${message}`;
  if (Number(mark[2]) < (programs[name] ?? 1)) return `tried only ${mark[2]}: ${message}`;
  return mark[3] ?? '';
}

describe.each(whos)('C1, H8: hostile programs in a drill by %s', (who) => {
  let stage: HostileStage;
  let ran: Ran;
  beforeAll(async () => {
    stage = await setHostileStage(who, built.path);
    ran = await stage.drill(Object.fromEntries(Object.keys(programs).map((name) => [name, attack(name)])));
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test.each(Object.keys(programs))('%s: tries, and is refused', (name) => {
    expect(markOf(ran.outcome, name)).toBe('refused');
  });

  test('the host heard nothing, and nothing of it changed', async () => {
    expect(await stage.host.harm()).toEqual([]);
  });

  test('nothing is left: no process, no folder, no control group', () => {
    expect(stage.remains()).toEqual([]);
  });

  test('the data is proved all the same, and the isolation is in the evidence', () => {
    expect(ran.outcome.why).toEqual([]);
    expect(ran.outcome.verdict).toBe('proved');
    expect(ran.outcome.isolation).toMatchObject({ network: true, files: true });
  });
});

describe.each(whos)('a drill by %s of an application that', (who) => {
  let stage: HostileStage;
  beforeAll(async () => {
    stage = await setHostileStage(who, built.path);
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test('answers without end, too slowly, or with rubbish ends in time, and each answer is a fault of its own', async () => {
    const bad = ['endless', 'slow', 'headers', 'early', 'chunks', 'never', 'round', 'garbage'];
    const ask = (path: string) => `{ type: http, timeout: 3s, steps: [{ path: /${path}, followRedirects: true }] }`;
    const { outcome } = await stage.drill(Object.fromEntries(bad.map((path) => [path, ask(path)])));
    expect(bad.filter((path) => checkOf(outcome, path).verdict !== 'fail')).toEqual([]);
    expect(outcome.verdict).toBe('failed');
    expect(stage.remains()).toEqual([]);
  });

  test('ends everything it can is not proved by what is left, and leaves nothing', async () => {
    const { outcome } = await stage.drill({ all: attack('kill-all'), after: attack('rights') });
    expect(outcome.verdict).not.toBe('proved');
    expect(stage.remains()).toEqual([]);
    expect(await stage.host.harm()).toEqual([]);
  });

  test('stops everything it can is waited for no longer than its check says, and leaves nothing', async () => {
    const freeze = `{ type: command, run: 'exec "$RESTORED_APP/attack" freeze-all', timeout: 3s }`;
    const { outcome } = await stage.drill({ all: freeze });
    expect(outcome.verdict).not.toBe('proved');
    expect(stage.remains()).toEqual([]);
  });
});

// All bombs are in bombs.long.test.ts.
describe.each(whos)('H8: a bomb in a drill by %s', (who) => {
  let stage: HostileStage;
  beforeAll(async () => {
    stage = await setHostileStage(who, built.path, { limits });
  });
  afterAll(() => stage?.[Symbol.asyncDispose]());

  test.each(['forks', 'memory', 'descriptors'])(
    'of %s ends it without a verdict on the backup, and hurts nobody',
    async (kind) => {
      await expectBombEnds(stage, kind, who);
    },
  );

  test('that is no obstacle to right answers leaves the drill inconclusive all the same', async () => {
    const run = `{ type: command, run: '"$RESTORED_APP/attack" bomb-forks; exit 0', timeout: 60s }`;
    const { outcome } = await stage.drill({ bomb: run });
    expect(outcome.verdict).toBe('inconclusive');
    expect(outcome.why.join(' ')).toContain('drill.limits.processes');
  });

  test('is not what a program that ends by itself is taken for, whatever it says', async () => {
    const { outcome } = await stage.drill({ ends: `{ type: command, run: 'echo ENOSPC, EMFILE, no memory; exit 1' }` });
    expect(outcome.verdict).toBe('failed');
    expect(outcome.isolation?.limits.filter((one) => one.hit)).toEqual([]);
  });
});

test.runIf(isRoot)('the same programs get through where nothing holds them', async () => {
  await using stage = await setHostileStage('root', built.path);
  const missed: string[] = [];
  for (const [name, ways] of Object.entries(unheld)) {
    const said = await stage.unheld(name);
    missed.push(...ways.filter((way) => !said.includes(` ${way}=REACHED`)).map((way) => `${name} ${way}: ${said}`));
  }
  expect(missed).toEqual([]);
});
