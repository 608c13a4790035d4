import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chown, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findOnPath } from '../../src/process/programs.ts';

/** A private server with the user `root`, over a socket alone; it dies with the process that started it, and leaves nothing. */
export interface Mariadb extends AsyncDisposable {
  readonly socket: string;
  /** Of any database. */
  urlOf(database: string, user?: string, password?: string): string;
  /** Rows of what the client prints, tabs between values. */
  query(sql: string, database?: string): Promise<string[][]>;
  /** Runs the client on a script, the first error ends it. */
  script(sql: string | Buffer, database: string): Promise<void>;
  /** What its log holds from a position of one of its files on, as a script. */
  logFrom(file: string, position: string): Promise<Buffer>;
}

const run = promisify(execFile);

export async function startMariadb(settings: readonly string[] = []): Promise<Mariadb> {
  const [installer, server] = await Promise.all(['mariadb-install-db', 'mariadbd'].map(programOf));
  const folder = await mkdtemp(join(await fastFolder(), 'lbmy-'));
  const user = await serverUser();
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  // A server that starts removes all temporary tables from its folder for them: never one that another server has as well.
  const home = ['--no-defaults', `--datadir=${data}`, `--tmpdir=${folder}`];
  await run(installer!, [...home, '--auth-root-authentication-method=normal', '--skip-test-db'], { cwd: '/', ...user });
  const socket = join(folder, 's');
  const words = [
    ...[...home, `--socket=${socket}`, '--skip-networking', '--skip-log-error'],
    ...[
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-flush-method=nosync',
      '--innodb-doublewrite=OFF',
      '--sync-frm=OFF',
    ],
    ...['--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M', '--event-scheduler=OFF', ...settings],
  ];
  // The shell waits for the end of its input, which comes at the latest when this process dies, however it dies.
  const watch =
    '"$@" >"$FOLDER/log" 2>&1 & server=$!; cat >/dev/null; kill -TERM $server; wait $server; rm -rf "$FOLDER"';
  const shell = spawn('/bin/sh', ['-c', watch, 'sh', server!, ...words], {
    cwd: '/',
    env: { PATH: process.env.PATH, FOLDER: folder },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    ...user,
  });
  const stop = async () => {
    shell.stdin?.end();
    if (shell.exitCode === null && shell.signalCode === null) await once(shell, 'exit');
    await rm(folder, { recursive: true, force: true });
  };
  const client = [
    '--no-defaults',
    '-uroot',
    `--socket=${socket}`,
    '--max-allowed-packet=256M',
    '--default-character-set=utf8mb4',
  ];
  const script = async (sql: string | Buffer, database: string) => {
    const done = run('mariadb', [...client, database], { maxBuffer: 64 << 20 });
    done.child.stdin?.end(sql);
    await done;
  };
  const logFrom = async (file: string, position: string) => {
    const words = ['--no-defaults', '-uroot', `--socket=${socket}`, '--read-from-remote-server', '--to-last-log'];
    const options = { encoding: 'buffer', maxBuffer: 1 << 30 } as const;
    return (await run('mariadb-binlog', [...words, `--start-position=${position}`, file], options)).stdout;
  };
  const query = async (sql: string, database = 'mysql') => {
    const { stdout } = await run('mariadb', [...client, '-N', '-B', '-e', sql, database], { maxBuffer: 64 << 20 });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  };
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await query('SELECT 1');
      break;
    } catch (error) {
      if (performance.now() < deadline && shell.exitCode === null) {
        await sleep(20);
        continue;
      }
      const said = readFileSync(join(folder, 'log'), 'utf8');
      await stop();
      throw new Error(`MariaDB did not start: ${said}`, { cause: error });
    }
  }
  const urlOf = (database: string, name = 'root', password?: string) =>
    `mysql://${encodeURIComponent(name)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@/${encodeURIComponent(database)}?socket=${encodeURIComponent(socket)}`;
  return { socket, urlOf, query, script, logFrom, [Symbol.asyncDispose]: stop };
}

/** In memory, where this host has room there: every statement that makes a table waits for a disk. A server takes some 150 MB. */
async function fastFolder(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > 2 ** 30 ? '/dev/shm' : tmpdir();
}

async function programOf(name: string): Promise<string> {
  const found = await findOnPath(name, `${process.env.PATH}:/usr/sbin`);
  if (found === undefined) throw new Error(`${name} is not here: apt-get install mariadb-server`);
  return found;
}

/** The server does not run as root. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'mysql') ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}
