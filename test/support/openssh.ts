import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { SftpOptions } from '../../src/destinations/options.ts';
import { type RunningProcess, startProcess } from '../../src/process/start.ts';
import {
  type HostKeyType,
  keyUser,
  newKey,
  type PublicKey,
  passwordUser,
  sshdCommand,
  writeConfiguration,
  writeUsers,
} from './openssh-setup.ts';
import { makeTemporaryFolder } from './temp.ts';
import { until } from './until.ts';

export interface OpensshOptions {
  /** Lines of sshd_config, at its end: the `Match` block of docs/sftp.md. */
  readonly settings?: string;
  /** What internal-sftp is told: `-P hardlink`. */
  readonly sftpArguments?: string;
  /** All three when absent. */
  readonly hostKeyTypes?: readonly HostKeyType[];
  /** Makes the jail what it shall be, such as a small disk, and undoes that. */
  readonly prepareJail?: (jail: string) => Promise<void>;
  readonly leaveJail?: (jail: string) => Promise<void>;
}

/** A real sshd on a port of 127.0.0.1, with its own configuration, host keys and users. */
export interface Openssh extends AsyncDisposable {
  readonly port: number;
  /** Of sshd itself. */
  readonly pid: number;
  readonly user: string;
  /** The private key of `user`, and the file that it is in. */
  readonly key: string;
  readonly keyFile: string;
  readonly hostKeys: Readonly<Partial<Record<HostKeyType, PublicKey>>>;
  /** Where `user` may write. As root the server sees it as `/srv/backup/<user>/vault`, too. */
  readonly folder: string;
  /** How to sign in as `user`, right host keys and all, to a folder of that name below `folder`. */
  options(name: string): SftpOptions & { readonly name: string };
  /** Ids of the processes that serve connections now. */
  sessions(): Promise<number[]>;
  /** Sends a signal to all of these: SIGKILL cuts the connections. */
  signalSessions(signal: NodeJS.Signals): Promise<void>;
  /** Starts it anew on the same port, with new host keys. */
  restartWithNewHostKeys(): Promise<void>;
  /** Starts it anew on the same port, told something else. */
  restart(changed: Pick<OpensshOptions, 'settings' | 'sftpArguments'>): Promise<void>;
  stop(): Promise<void>;
  /** How often somebody was let in, or tried to be. */
  signIns(): Promise<number>;
}

/** Why tests that need users or folders of root's cannot run here; undefined where they can. */
export const whyNotRoot =
  process.getuid?.() === 0 ? undefined : 'its sshd has users and a chroot of its own: run the tests as root';

/** For `beforeAll` and `await using`: the caller disposes of it. */
export async function startOpenssh(options: OpensshOptions = {}): Promise<Openssh> {
  const asRoot = whyNotRoot === undefined;
  const user = asRoot ? keyUser.name : userInfo().username;
  const temporary = await makeTemporaryFolder({ open: true });
  const root = temporary.path;
  const folder = join(root, 'jail/vault');
  const keyFile = join(root, 'user-key');
  await mkdir(join(root, 'jail'));
  await chmod(join(root, 'jail'), 0o755);
  await options.prepareJail?.(join(root, 'jail'));
  await mkdir(folder, { recursive: true, mode: 0o755 });
  if (asRoot) await chown(folder, keyUser.uid, keyUser.uid);
  const { line } = await newKey(keyFile, 'ed25519');
  await writeFile(join(root, 'authorized_keys'), `${line}\n`, { mode: 0o644 });
  if (asRoot) await writeUsers(root);

  const hostKeys: Partial<Record<HostKeyType, PublicKey>> = {};
  let generation = 0;
  const makeHostKeys = async () => {
    const files: string[] = [];
    generation++;
    for (const type of options.hostKeyTypes ?? (['ed25519', 'ecdsa', 'rsa'] as const)) {
      files.push(join(root, `host-${type}-${generation}`));
      hostKeys[type] = await newKey(files.at(-1)!, type);
    }
    return files;
  };

  let server: RunningProcess | undefined;
  let port = 0;
  let hostKeyFiles: readonly string[] = [];
  const start = async ({ settings = '', sftpArguments = '' } = options) => {
    for (let attempt = 1; ; attempt++) {
      port ||= await freePort();
      await writeConfiguration({ root, port, hostKeys: hostKeyFiles, sftpArguments, settings });
      server = await startProcess(...sshdCommand(root, asRoot), { stdout: 'tail', tailBytes: 64 << 10 });
      if (await isUp(server, port)) return;
      const said = server.tail();
      await server.stop();
      if (attempt === 5 || !/already in use/i.test(said)) throw new Error(`sshd did not start: ${said}`);
      port = 0;
    }
  };
  const sessions = async () => (server === undefined ? [] : descendantsOf(server.pid));
  const signalSessions = async (signal: NodeJS.Signals) => {
    for (const pid of await sessions()) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended by itself.
      }
    }
  };
  const stop = async () => {
    // Each session leads a group of its own: they do not go with the server.
    await signalSessions('SIGKILL');
    await server?.stop();
  };
  hostKeyFiles = await makeHostKeys();
  await start();
  const key = await readFile(keyFile, 'utf8');

  return {
    get port() {
      return port;
    },
    get pid() {
      return server?.pid ?? 0;
    },
    user,
    key,
    keyFile,
    hostKeys,
    folder,
    options: (name) => ({
      name: 'box',
      type: 'sftp',
      host: '127.0.0.1',
      port,
      user,
      path: join(folder, name),
      hostKeys: Object.values(hostKeys).map(({ fingerprint }) => fingerprint),
      key,
      agent: false,
    }),
    sessions,
    signalSessions,
    async restartWithNewHostKeys() {
      await stop();
      hostKeyFiles = await makeHostKeys();
      await start();
    },
    async restart(changed) {
      await stop();
      await start(changed);
    },
    stop,
    async signIns() {
      const log = server?.tail() ?? '';
      return log.split('\n').filter((line) => /^(Accepted|Failed|Invalid user) /.test(line)).length;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await options.leaveJail?.(join(root, 'jail'));
      await temporary[Symbol.asyncDispose]();
    },
  };
}

/** The user with a password in place of the one with the key. It writes where anybody may. */
export function asPasswordUser(options: SftpOptions & { readonly name: string }, password: string) {
  const { key: _, ...rest } = options;
  return { ...rest, user: passwordUser.name, password };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Whether it greets, rather than ends. */
async function isUp(server: RunningProcess, port: number): Promise<boolean> {
  let ended = false;
  void server.ended.then(() => {
    ended = true;
  });
  await until(async () => ended || (await greets(port)));
  return !ended;
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(5000, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    socket.once('data', (greeting) => settle(greeting.toString('latin1').startsWith('SSH-2.0-OpenSSH')));
  });
}

async function descendantsOf(ancestor: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
    const parent = text.slice(text.lastIndexOf(')') + 2).split(' ')[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (parents.get(pid) === ancestor || isBelow(parents.get(pid)));
  return [...parents.keys()].filter(isBelow);
}
