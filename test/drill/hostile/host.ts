import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** What a drill must leave alone: files, ears that must hear nothing, a process that must get no signal, the kernel's settings. */
export interface Host extends AsyncDisposable {
  /** Lines of attack.conf. */
  readonly facts: readonly string[];
  /** Opens the ear that is not there yet when a sandbox is closed. */
  openLateEar(): Promise<void>;
  /** Everything that was heard, changed, or is left; empty when nothing was. */
  harm(): Promise<string[]>;
}

const settings = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/vm/swappiness',
];
const systemFiles = [
  '/etc/ld.so.preload',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf.d',
  '/etc/nsswitch.conf',
  '/etc/passwd',
  '/etc/gai.conf',
  '/etc/ssl/openssl.cnf',
  '/lib/x86_64-linux-gnu',
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
];

/** `folders`: where canaries and ears are put, each a place of another kind; `program`: the compiled `attack`. */
export async function watchHost(
  folders: readonly string[],
  program: string,
  watched: readonly string[],
): Promise<Host> {
  const canaries = folders.map((folder) => join(folder, 'canary'));
  for (const canary of canaries) {
    mkdirSync(dirname(canary), { recursive: true });
    writeFileSync(canary, `canary of ${canary}`, { mode: 0o666 });
    chmodSync(canary, 0o666);
  }
  const ears = folders.flatMap((folder) => ['stream', 'dgram', 'fifo'].map((kind) => `${kind}:${join(folder, kind)}`));
  const abstract = `lifeboat-corpus-${process.pid}-${performance.now()}`;
  const listening = spawn(program, ['victim', ...ears, `abstract:${abstract}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const heard: string[] = [];
  const lines = createInterface({ input: listening.stdout });
  const [ready] = (await once(lines, 'line')) as [string];
  const [, tcp, udp] = /^ready (\d+) (\d+)$/.exec(ready) ?? [];
  if (tcp === undefined || udp === undefined) throw new Error(`the host's ears could not be opened: ${ready}`);
  lines.on('line', (line) => heard.push(line));

  const late = join(folders[0] as string, 'late');
  let lateEar: Server | undefined;
  const files = [...systemFiles, ...watched];
  const before = {
    files: files.map(stateOf),
    settings: settings.map(contentOf),
    mounts: mountsOfDrills(),
  };
  return {
    facts: [
      ...canaries.map((path, at) => `canary-${at} ${path}`),
      `canaries ${canaries.length}`,
      ...folders.flatMap((folder, at) =>
        ['stream', 'dgram', 'fifo'].map((kind) => `${kind}-${at} ${join(folder, kind)}`),
      ),
      `sockets ${folders.length}`,
      `abstract ${abstract}`,
      `late ${late}`,
      `tcp ${tcp}`,
      `udp ${udp}`,
      `victim ${listening.pid}`,
      `tester ${process.pid}`,
    ],
    async openLateEar() {
      lateEar ??= await listenAt(late, () => heard.push('heard late'));
    },
    async harm() {
      if (lateEar !== undefined) await new Promise((done) => lateEar?.close(done));
      lateEar = undefined;
      const alive = listening.exitCode === null && listening.signalCode === null;
      return [
        ...heard,
        ...(alive ? [] : ['the process of the host was ended']),
        ...changes(files, before.files, files.map(stateOf)),
        ...changes(settings, before.settings, settings.map(contentOf)),
        ...changes(['mounts'], [before.mounts], [mountsOfDrills()]),
        ...canaries.flatMap((path) => (contentOf(path) === `canary of ${path}` ? [] : [`${path} was written`])),
        ...canaries.flatMap((path) => (existsSync(`${path}-new`) ? [`${path}-new was made`] : [])),
      ];
    },
    async [Symbol.asyncDispose]() {
      await stop(listening);
      execFileSync('ipcrm', ['--shmem-key', String(listening.pid)]);
    },
  };
}

function listenAt(path: string, onHeard: () => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(onHeard);
    server.once('error', reject);
    server.listen({ path, writableAll: true, readableAll: true }, () => resolve(server));
  });
}

/** Other tests mount and unmount beside this one. */
function mountsOfDrills(): string {
  const lines = contentOf('/proc/self/mountinfo').split('\n');
  return lines.filter((line) => /lifeboat-drill|\/run\/(root|low|lifeboat)/.test(line)).join('\n');
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await ended;
}

/** What of a file shows that it was touched; of a folder, its names. */
function stateOf(path: string): string {
  if (!existsSync(path)) return 'absent';
  const { mode, uid, size, mtimeMs, ino } = lstatSync(path);
  if (lstatSync(path).isDirectory())
    return readdirSync(path)
      .filter((name) => name !== 'late')
      .sort()
      .join('\n');
  return `${mode} ${uid} ${size} ${mtimeMs} ${ino}`;
}

function contentOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : 'absent';
}

function changes(names: readonly string[], before: readonly string[], after: readonly string[]): string[] {
  return names.flatMap((name, at) =>
    before[at] === after[at] ? [] : [`${name} changed: ${differing(before[at], after[at])}`],
  );
}

function differing(before = '', after = ''): string {
  const had = new Set(before.split('\n'));
  const has = new Set(after.split('\n'));
  return [...has.difference(had), ...[...had.difference(has)].map((line) => `no more ${line}`)].slice(0, 5).join('; ');
}

/** Processes that carry `text` in their arguments, environment or program, as `PID name`. */
export function processesOf(text: string): string[] {
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return names.flatMap((pid) => {
    try {
      const known = ['cmdline', 'environ', 'maps'].some((file) =>
        readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text),
      );
      return known ? [`${pid} ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()}`] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
}

/** Control groups of these drills that are left. */
export function groupsLeft(ids: readonly string[]): string[] {
  const folders = (at: string, depth: number): string[] =>
    depth === 0 || !existsSync(at)
      ? []
      : readdirSync(at, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .flatMap(({ name }) => [join(at, name), ...folders(join(at, name), depth - 1)]);
  return folders('/sys/fs/cgroup', 4).filter((path) => ids.some((id) => path.includes(id)));
}
