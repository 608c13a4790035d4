import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chown, glob, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

export interface PostgresOptions {
  /** Listens on 127.0.0.1 too, where a password is demanded (scram-sha-256). The socket trusts everyone. */
  readonly tcp?: boolean;
  /** The port that an earlier one had: it stands in for that. */
  readonly port?: number;
  /** `name=value` for the server. */
  readonly settings?: readonly string[];
  /** Copies that server and follows it, instead of being new. */
  readonly standbyOf?: Postgres;
  /** A folder with locales of the test's own. */
  readonly locales?: string;
}

/** A private server with the superuser `postgres`; it dies with the process that started it, and leaves nothing. */
export interface Postgres extends AsyncDisposable {
  /** Of the database `postgres`, over the socket. */
  readonly url: string;
  readonly socketDir: string;
  readonly port: number;
  /** The folder of its programs. */
  readonly programs: string;
  /** Of any database, over the socket. */
  urlOf(database: string, user?: string): string;
  /** Of any database over TCP; needs `tcp`. */
  tcpUrlOf(database: string, user: string, password?: string): string;
  query<R extends object = Record<string, unknown>>(sql: string, database?: string): Promise<R[]>;
  /** Makes an empty database from template0, and gives its URL. */
  createDatabase(name: string, options?: string): Promise<string>;
  /** Whoever is in it is thrown out. */
  dropDatabase(name: string): Promise<void>;
  /** Runs psql on a script, the first error ends it. */
  script(sql: string, database?: string): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);

/** Starts one in about a second. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const programs = await newestPrograms();
  const folder = await mkdtemp(join(tmpdir(), 'lbpg-'));
  const user = await serverUser();
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  if (options.standbyOf === undefined) {
    const words = ['-D', data, '-U', 'postgres', '--no-sync', '-A', 'trust', '-E', 'UTF8', '--locale', 'C.UTF-8'];
    await run(join(programs, 'initdb'), words, { cwd: '/', ...user });
  } else {
    const { socketDir, port } = options.standbyOf;
    const words = ['-D', data, '-h', socketDir, '-p', String(port), '-U', 'postgres', '-R', '--no-sync', '-c', 'fast'];
    await run(join(programs, 'pg_basebackup'), words, { cwd: '/', ...user });
  }
  const port = options.port ?? (options.tcp ? await freePort() : 5432);
  await writeFile(
    join(data, 'pg_hba.conf'),
    'local all,replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n',
  );
  const settings = [
    ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_wal_size=4GB', 'shared_buffers=64MB'],
    ...['max_prepared_transactions=5', 'wal_level=logical', `port=${port}`, `unix_socket_directories=${folder}`],
    ...[`listen_addresses=${options.tcp ? '127.0.0.1' : ''}`, ...(options.settings ?? [])],
  ];
  const server = startWatched(
    join(programs, 'postgres'),
    ['-D', data, ...settings.flatMap((s) => ['-c', s])],
    folder,
    user,
    options.locales,
  );

  const urlOf = (database: string, role = 'postgres') =>
    `postgres://${encodeURIComponent(role)}@/${encodeURIComponent(database)}?host=${folder}&port=${port}`;
  const query = async <R extends object>(sql: string, database = 'postgres'): Promise<R[]> => {
    const client = new pg.Client({ host: folder, port, user: 'postgres', database });
    await client.connect();
    try {
      const result = await client.query(sql);
      return (Array.isArray(result) ? [] : result.rows) as R[];
    } finally {
      await client.end();
    }
  };
  const stop = async () => {
    server.stdin?.end();
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await untilReady(() => query('SELECT 1'), server, join(folder, 'log'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: urlOf('postgres'),
    socketDir: folder,
    port,
    programs,
    urlOf,
    tcpUrlOf: (database, role, password) =>
      `postgres://${encodeURIComponent(role)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    query,
    async createDatabase(name, clauses = '') {
      await query(`CREATE DATABASE "${name.replaceAll('"', '""')}" TEMPLATE template0 ${clauses}`);
      return urlOf(name);
    },
    async dropDatabase(name) {
      await query(`DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}" WITH (FORCE)`);
    },
    async script(sql, database = 'postgres') {
      const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', folder, '-p', String(port), '-U', 'postgres'];
      const done = run(join(programs, 'psql'), [...args, '-d', urlOf(database)], {
        maxBuffer: 64 << 20,
        env: { ...process.env, PGCLIENTENCODING: 'UTF8' },
      });
      done.child.stdin?.end(sql);
      await done;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * The shell waits for the end of its input, which comes at the latest when this process dies, however it dies; then it ends the
 * server and removes its folder.
 */
function startWatched(
  program: string,
  args: readonly string[],
  folder: string,
  user: { uid: number; gid: number } | undefined,
  locales: string | undefined,
): ChildProcess {
  const watch =
    '"$@" >"$FOLDER/log" 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$FOLDER"';
  return spawn('/bin/sh', ['-c', watch, 'sh', program, ...args], {
    cwd: '/',
    env: {
      PATH: process.env.PATH,
      FOLDER: folder,
      LANG: 'C.UTF-8',
      ...(locales === undefined ? {} : { LOCPATH: locales }),
    },
    stdio: ['pipe', 'ignore', 'ignore'],
    // An interrupt at the terminal must reach the server through the shell, in order.
    detached: true,
    ...user,
  });
}

async function untilReady(ask: () => Promise<unknown>, server: ChildProcess, log: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (performance.now() > deadline || server.exitCode !== null) {
        const said = existsSync(log) ? readFileSync(log, 'utf8') : '';
        throw new Error(`PostgreSQL did not start: ${said}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The server refuses to run as root. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':');
    if (name === 'postgres') return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}

async function newestPrograms(): Promise<string> {
  const found: string[] = [];
  for await (const path of glob('/usr/lib/postgresql/*/bin')) if (existsSync(join(path, 'initdb'))) found.push(path);
  const newest = found.sort((a, b) => Number(b.split('/')[4]) - Number(a.split('/')[4]))[0];
  if (newest === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  return newest;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
