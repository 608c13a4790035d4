import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { DrillOutcome } from '../../../src/operations/drill/parts.ts';
import { generateIdentity } from '../../../src/vault/age/identity.ts';
import { makeTemporaryFolder } from '../../support/temp.ts';
import { until } from '../../support/until.ts';
import { groupsLeft, type Host, processesOf, watchHost } from './host.ts';

const execute = promisify(execFile);
const product = resolve(import.meta.dirname, '../../..');

/** Whom a drill runs as: root, or a user with an unused number and a home of their own. */
export type Who = 'root' | 'user';

const isRoot = process.getuid?.() === 0;
const userId = 61_234;

/** Whom drills can be tried as here. */
export const whos: readonly Who[] = isRoot ? ['root', 'user'] : ['user'];

/** A system whose application is hostile, on a host that is watched. */
export interface HostileStage extends AsyncDisposable {
  readonly host: Host;
  /** Runs `lifeboat drill` with these checks, YAML of `drill.checks`; without `app` nothing is started before them. */
  drill(checks: Readonly<Record<string, string>>, options?: { readonly app?: boolean }): Promise<Ran>;
  /** Runs a program where nothing holds it: on the host, for root in namespaces of its own, so that what it reaches is its own. */
  unheld(name: string): Promise<string>;
  /** What is left of drills: processes, folders, control groups, mounts. */
  remains(): string[];
}

export interface Ran {
  readonly outcome: DrillOutcome;
  readonly elapsedMs: number;
}

/** Compiles the hostile programs, once for a test file. */
export function compile(folder: string): void {
  const build = (output: string, files: readonly string[], ...words: string[]) =>
    execFileSync('gcc', [
      '-O1',
      '-w',
      '-o',
      join(folder, output),
      ...words,
      ...files.map((file) => join(import.meta.dirname, file)),
    ]);
  build('attack', ['attack.c', 'programs.c', 'server.c']);
  build('evil-program', ['evil.c']);
  build('evil.so', ['evil.c'], '-shared', '-fPIC');
}

/** What a bomb takes before it stops by itself: processes, descriptors, files, or MiB. */
export const mostOfBombs = {
  ...{ forks: 6000, threads: 6000, memory: 2000, shared: 2000, memfd: 2000, crowd: 2000, tmp: 2000, shm: 2000 },
  ...{ disk: 3000, unnamed: 3000, files: 400_000, descriptors: 1e6, copies: 1e6, 'crowded-descriptors': 36_000 },
};

export interface HostileOptions {
  /** `drill.limits`, as YAML. */
  readonly limits?: string;
  /** As root only: no control groups can be made. */
  readonly withoutGroups?: boolean;
  /** As root only: on a small disk of its own, so that no real one need be filled to see a bomb end. */
  readonly small?: boolean;
}

const smallDiskMib = 400;

export async function setHostileStage(
  who: Who,
  programs: string,
  { small = false, limits = '{}', withoutGroups = false }: HostileOptions = {},
): Promise<HostileStage> {
  const base = await makeTemporaryFolder({ open: true });
  const at = (...names: string[]) => join(base.path, ...names);
  // Places of different kinds: the application's own, beside it, where many programs write, and where nobody does.
  const outer = isRoot ? ['/usr/local/share', '/home', '/run', '/var/tmp', '/dev/shm'] : ['/var/tmp', '/dev/shm'];
  const outside = outer.map((folder) => mkdtempSync(join(folder, 'lifeboat-corpus-')));
  for (const folder of outside) chmodSync(folder, 0o755);
  const folders = [at('beside'), at('home'), ...outside];
  if (small) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${smallDiskMib}m,mode=755`, 'lifeboat-test', base.path]);
  for (const name of ['app', 'home/.ssh', 'keys', 'bin']) mkdirSync(at(name), { recursive: true });

  const daily = generateIdentity();
  writeFileSync(at('keys/daily.txt'), `${daily.identity}\n`, { mode: 0o600 });
  // What is configured by a link must be out of sight where it really is.
  for (const name of ['secrets', 'disk']) mkdirSync(at(name));
  symlinkSync('secrets/token', at('secret'));
  symlinkSync('keys/daily.txt', at('key'));
  symlinkSync('disk', at('vault'));
  for (const name of ['home/.ssh/id_ed25519', 'secrets/token']) writeFileSync(at(name), 'a secret', { mode: 0o600 });
  for (const name of ['attack', 'evil.so', 'evil-program']) copyFileSync(join(programs, name), at('app', name));
  copyFileSync(at('app/attack'), at('bin/attack'));
  copyFileSync(at('app/attack'), at('app/attack-suid'));
  if (isRoot) execFileSync('mknod', [at('app/device'), 'c', '1', '11']);

  const host = await watchHost(folders, at('bin/attack'), [`${product}/src/sandbox`, process.execPath]);
  // As homes are: one that nobody else may look into.
  const otherHome = mkdtempSync(join(isRoot ? '/home' : base.path, 'lifeboat-corpus-other-'));
  writeFileSync(join(otherHome, 'private'), 'a secret', { mode: 0o600 });
  if (isRoot) execFileSync('chown', ['-R', `${userId + 1}:${userId + 1}`, otherHome]);
  else chmodSync(otherHome, 0);
  const environment = `production-${daily.recipient.slice(-20)}`;
  const { command: plain, program } = await commandOf(who, at('product'));
  const hideGroups = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"'];
  const command = withoutGroups ? [...hideGroups, ...plain] : plain;
  const writeFacts = (stateDir: string) =>
    writeFileSync(
      at('app/attack.conf'),
      [
        ...host.facts,
        `identity ${at('keys/daily.txt')}`,
        `state ${stateDir}`,
        `vault ${at('disk')}`,
        `ssh ${at('home/.ssh')}`,
        `config-secret ${at('secrets/token')}`,
        `home-of-another ${otherHome}`,
        `environment ${environment}`,
        'key lifeboat-corpus',
        `agent ${program}/src/sandbox/agent.ts`,
        `node ${process.execPath}`,
        ...Object.entries(mostOfBombs).map(([kind, most]) => `${kind} ${most}`),
        '',
      ].join('\n'),
    );
  if (who === 'user' && isRoot) execFileSync('chown', ['-R', `${userId}:${userId}`, base.path]);
  chmodSync(at('app/attack-suid'), 0o4755);
  // A set-uid program of root's is the most that a dataset can hold.
  if (isRoot && who === 'root') chownSync(at('app/attack-suid'), 0, 0);
  chmodSync(at('app/attack-suid'), 0o4755);

  const env = {
    PATH: process.env.PATH ?? '',
    HOME: at('home'),
    LIFEBOAT_STATE_DIR: at('state'),
    PRODUCTION: environment,
  };
  const run = async (words: readonly string[]) => {
    const [file, ...rest] = [...command, '--no-color', '--config', at('lifeboat.yaml'), ...words] as [
      string,
      ...string[],
    ];
    // As a command of cron may be started: with more open than the usual three.
    const root = openSync('/', 'r');
    const child = spawn(file, rest, { cwd: base.path, env, stdio: ['ignore', 'pipe', 'pipe', root] });
    closeSync(root);
    const exited = once(child, 'exit');
    const [stdout, stderr] = await Promise.all([buffer(child.stdout as Readable), buffer(child.stderr as Readable)]);
    await exited;
    return { stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const configure = (checks: Readonly<Record<string, string>>, app: boolean) =>
    writeFileSync(at('lifeboat.yaml'), configuration(daily.recipient, checks, app, limits));

  const ids: string[] = [];
  configure({}, false);
  await run(['backup']);
  const [stateDir = ''] = globSync(at('state/corpus-*'));
  writeFacts(stateDir);
  await run(['backup']);
  return {
    host,
    async drill(checks, { app = true } = {}) {
      configure(checks, app);
      const began = performance.now();
      const ran = run(['--json', '--identity', at('key'), 'drill']);
      let over = false;
      const late = until(() => over || processesOf(at('')).some((one) => one.endsWith(' attack')), 300_000).then(() =>
        host.openLateEar(),
      );
      const { stdout, stderr } = await ran.finally(() => {
        over = true;
      });
      await late;
      const elapsedMs = performance.now() - began;
      try {
        const outcome = JSON.parse(stdout) as DrillOutcome;
        ids.push(outcome.id);
        return { outcome, elapsedMs };
      } catch {
        throw new Error(`the drill gave no outcome: ${stdout}${stderr}`);
      }
    },
    async unheld(name) {
      const alone = ['--mount', '--propagation=private', '--pid', '--fork', '--mount-proc', '--uts', '--net'];
      // What it leaves in /tmp goes with its own /tmp, in which nothing but the stage is the host's.
      const aside = 'mount --bind "$2" /mnt && mount -t tmpfs none /tmp && mkdir -p "$2" && mount --move /mnt "$2"';
      const words = [...alone, 'sh', '-c', `${aside} && "$0" "$1"; exit 0`, at('app/attack'), name, base.path];
      return (await execute('unshare', words)).stdout;
    },
    remains: () => [
      ...processesOf(at('app')),
      ...globSync(at('state/corpus-*/sandboxes/*')),
      ...ids.flatMap((id) => globSync(`/tmp/lifeboat-drill-${id}*`)),
      ...groupsLeft(ids),
    ],
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      for (const folder of [...outside, otherHome]) rmSync(folder, { recursive: true, force: true });
      if (small) execFileSync('umount', ['--lazy', base.path]);
      await base[Symbol.asyncDispose]();
    },
  };
}

/** The words that run our command as `who`, and where it lies for them: a user may not be able to walk to this checkout. */
async function commandOf(who: Who, aside: string): Promise<{ command: string[]; program: string }> {
  if (who === 'root' || !isRoot) return { command: [join(product, 'bin/lifeboat')], program: product };
  const drop = ['setpriv', `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', '--inh-caps=-all', '--'];
  const reached = await execute(drop[0] as string, [...drop.slice(1), join(product, 'bin/lifeboat'), '--version']).then(
    () => true,
    () => false,
  );
  if (reached) return { command: [...drop, join(product, 'bin/lifeboat')], program: product };
  mkdirSync(aside);
  const bound = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"', product, aside];
  return { command: [...bound, ...drop, join(aside, 'bin/lifeboat')], program: aside };
}

function configuration(
  recipient: string,
  checks: Readonly<Record<string, string>>,
  app: boolean,
  limits: string,
): string {
  return [
    'version: 1',
    'system: corpus',
    `vault: { recipients: [${recipient}] }`,
    'destinations: { local: { type: local, path: ./vault } }',
    'datasets:',
    '  app: { type: files, path: ./app, rpo: 1h }',
    'drill:',
    `  limits: ${limits}`,
    ...(app
      ? [
          '  app:',
          '    directory: ./app',
          '    start: exec "$RESTORED_APP/attack" serve',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Lifeboat's own references
          '    ready: "http://localhost:${PORT}/"',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Lifeboat's own references
          '    env: { TOKEN: "${file:./secret}" }',
        ]
      : []),
    '  checks:',
    ...Object.entries(checks).map(([id, check]) => `    ${id}: ${check}`),
    ...(Object.keys(checks).length === 0 ? ['    {}'] : []),
    '',
  ].join('\n');
}
