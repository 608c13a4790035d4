import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** A PostgreSQL server of one's own: on a Unix socket only, gone when it is stopped. */
export interface PrivatePostgres {
  readonly version: string;
  /** Connects to database `name` as the superuser. */
  url(name: string): string;
  stop(): Promise<void>;
}

const startLimitMs = 30_000;
const password = 'only-on-this-socket';

/** The newest of Debian's server installations, or undefined. */
export function findPostgres(): string | undefined {
  const versions = '/usr/lib/postgresql';
  if (!existsSync(versions)) return undefined;
  return readdirSync(versions)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versions, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')));
}

/**
 * Starts a server with its data in `folder`/pg, which must not exist; `folder` must be short, because a socket's path is.
 * PostgreSQL refuses to run as root; then it runs as the user `postgres` of the Debian package.
 */
export async function startPostgres(folder: string): Promise<PrivatePostgres> {
  const bin = findPostgres();
  if (!bin) throw new Error('PostgreSQL is not installed. Run: apt-get install postgresql');
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  const home = join(folder, 'pg');
  mkdirSync(home, { mode: 0o700 });
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, password);
  if (owner) {
    chmodSync(folder, 0o755);
    for (const path of [home, passwordFile]) chownSync(path, owner.uid, owner.gid);
  }

  const data = join(home, 'data');
  const as = { ...owner, cwd: home, env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' } };
  const how = ['--username=harbor', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--no-sync'];
  execFileSync(join(bin, 'initdb'), ['--pgdata', data, ...how, '--no-instructions'], { ...as, stdio: 'pipe' });

  const settings = { listen_addresses: '', unix_socket_directories: home, fsync: 'off', max_wal_size: '4GB' };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.on('data', (text: Buffer) => {
    log = (log + text).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => {
    server.once('exit', () => resolve());
    server.once('error', () => resolve());
  });

  const url = (name: string) => `postgres://harbor:${password}@localhost/${name}?host=${encodeURIComponent(home)}`;
  const stop = async () => {
    // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
    server.kill('SIGINT');
    await ended;
  };
  try {
    const version = await waitUntilReady(url('postgres'), () => server.exitCode !== null);
    return { version, url, stop };
  } catch (cause) {
    await stop();
    throw new Error(`PostgreSQL did not start:\n${log}`, { cause });
  }
}

async function waitUntilReady(url: string, ended: () => boolean): Promise<string> {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      const answer = await client.query<{ server_version: string }>('show server_version');
      return answer.rows[0]!.server_version;
    } catch (error) {
      if (ended() || performance.now() > deadline) throw error;
      await pause(25);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
