import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { sentenceOf } from '../core/errors.ts';
import { findTools, postgresFolders, type Tool } from '../process/find-tool.ts';
import type { Agent } from './agent-client.ts';
import { sandboxFailed, sandboxServerMissing } from './errors.ts';
import type { User } from './protocol.ts';
import type { Sandbox } from './sandbox.ts';

/** A private PostgreSQL server in a sandbox. It goes with the sandbox. */
export interface SandboxPostgres {
  readonly version: string;
  /** The superuser's URL of a database, over the socket, for us. */
  outside(database: string): string;
  /** The URL of a database for what runs inside: over TCP where the network is closed off, else over the socket. */
  inside(database: string, user: string): string;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Of the dataset it is for. */
  readonly name: string;
  /** Of the server that was dumped: an older one may not understand the dump. */
  readonly major: number;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly startTimeoutMs?: number;
}

const superuser = 'postgres';

/**
 * Starts the oldest of the user's own servers that is new enough: the nearest to production.
 * @throws `sandbox-server-missing`, `sandbox-failed`
 */
export async function startPostgres(sandbox: Sandbox, options: ServerOptions): Promise<SandboxPostgres> {
  const { name, port, signal, startTimeoutMs = 60_000 } = options;
  const tool = await chooseServer(options.major, signal);
  const programs = dirname(tool.path);
  // In a user namespace there is one user only, under whatever number; the files are its own already.
  const user = sandbox.footing === 'user' ? undefined : await unprivilegedUser();
  const agent = await sandbox.servers();
  const folder = join(sandbox.folder, 'servers', name);
  await mkdir(folder, { mode: 0o700 });
  const sockets = join(sandbox.folder, 's');
  if (user !== undefined) {
    await chown(folder, user.uid, user.gid);
    await chown(sockets, user.uid, user.gid);
  }
  // Beside the server's own folder: from the first restored function on, what is in there is not to be trusted.
  const access = join(sandbox.folder, 'servers', `${name}.hba`);
  await writeFile(access, 'local all all trust\nhost all all 127.0.0.1/32 trust\n');
  const order = {
    env: { PATH: `${programs}:/usr/bin:/bin`, LANG: 'C.UTF-8', HOME: sandbox.inside(folder) },
    directory: sandbox.inside(folder),
    ...(user === undefined ? {} : { user }),
  };
  const data = join(sandbox.inside(folder), 'data');
  await initialise(agent, { ...order, name: `initdb ${name}`, words: [] }, programs, data, signal);

  const process = `postgres ${name}`;
  const words = [
    join(programs, 'postgres'),
    '-D',
    data,
    ...settings(sandbox, access, port).flatMap((one) => ['-c', one]),
  ];
  await agent.call('start', { ...order, name: process, words }, { signal });
  const host = sandbox.sockets.outside;
  const outside = (database: string) =>
    `postgres:///${encodeURIComponent(database)}?host=${encodeURIComponent(host)}&port=${port}&user=${superuser}`;
  await untilReady(agent, process, outside('postgres'), startTimeoutMs, signal);
  // Nobody inside may put another socket, or a link to one of this host's, where we connect.
  if (user !== undefined) await chown(sockets, 0, 0);
  return {
    version: tool.version,
    outside,
    inside: (database, role) =>
      sandbox.isolation.network
        ? `postgres://${encodeURIComponent(role)}@127.0.0.1:${port}/${encodeURIComponent(database)}`
        : `postgres:///${encodeURIComponent(database)}?host=${encodeURIComponent(sandbox.sockets.inside)}&port=${port}&user=${encodeURIComponent(role)}`,
    async stop() {
      await agent.call('stop', { name: process, signal: 'SIGINT', graceMs: 10_000 });
    },
  };
}

/** A URL that `outside` gave, as its parts: the driver reads no name with an equals sign or a slash out of a URL. */
export function sandboxedDatabase(url: string): { host: string; port: number; user: string; database: string } {
  const [, database = '', settings = ''] = /^postgres:\/\/\/([^?]*)\?(.*)$/.exec(url) ?? [];
  const found = new URLSearchParams(settings);
  return {
    host: found.get('host') ?? '',
    port: Number(found.get('port')),
    user: found.get('user') ?? superuser,
    database: decodeURIComponent(database),
  };
}

async function chooseServer(major: number, signal: AbortSignal): Promise<Tool> {
  const found = await findTools('postgres', { folders: postgresFolders, signal });
  const fitting = found.filter((tool) => tool.major >= major);
  const oldest = Math.min(...fitting.map((tool) => tool.major));
  const best = fitting.find((tool) => tool.major === oldest);
  if (best !== undefined) return best;
  throw sandboxServerMissing({ needs: major, found: found.map((tool) => tool.version).join(', ') || 'none' });
}

interface Order {
  readonly name: string;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly user?: User;
}

async function initialise(agent: Agent, order: Order, programs: string, data: string, signal: AbortSignal) {
  const common = ['-D', data, '-U', superuser, '-A', 'trust', '-E', 'UTF8', '--no-sync'];
  let said = '';
  // Databases bring their own locale; the server's own only has to exist.
  for (const locale of ['C.UTF-8', 'C']) {
    const words = [join(programs, 'initdb'), ...common, `--locale=${locale}`];
    const ended = await agent.call('run', { ...order, words, timeoutMs: 120_000 }, { signal, timeoutMs: 130_000 });
    if (ended.exitCode === 0) return;
    said = ended.tail.trim().split('\n').slice(-3).join(' · ');
  }
  throw sandboxFailed({ doing: 'initialise a PostgreSQL server', why: said });
}

function settings(sandbox: Sandbox, access: string, port: number): string[] {
  return [
    `port=${port}`,
    `hba_file=${sandbox.inside(access)}`,
    `listen_addresses=${sandbox.isolation.network ? '127.0.0.1' : ''}`,
    `unix_socket_directories=${sandbox.sockets.inside}`,
    // A copy must never write into production's archive (A3), nor be anyone's primary or subscriber.
    ...['archive_mode=off', 'wal_level=minimal', 'max_wal_senders=0', 'max_logical_replication_workers=0'],
    // It lives for one drill: a crash costs the drill, not data.
    ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_wal_size=4GB', 'checkpoint_timeout=1h'],
    ...[
      'shared_buffers=128MB',
      'maintenance_work_mem=256MB',
      'max_locks_per_transaction=1024',
      'max_prepared_transactions=64',
    ],
    ...['logging_collector=off', 'dynamic_shared_memory_type=mmap'],
  ];
}

async function untilReady(agent: Agent, process: string, url: string, timeoutMs: number, signal: AbortSignal) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const failure = await greet(url);
    if (failure === undefined) return;
    const { running, tail } = await agent.call('look', { name: process }, { signal });
    if (!running || performance.now() > deadline) {
      const said = tail.trim().split('\n').slice(-3).join(' · ') || failure;
      throw sandboxFailed({ doing: 'start a PostgreSQL server', why: said });
    }
    await sleep(30, undefined, { signal });
  }
}

async function greet(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
    return rows[0]?.recovering === false ? undefined : 'it is still recovering';
  } catch (error) {
    return sentenceOf(error) || 'no answer';
  } finally {
    await client.end().catch(() => {});
  }
}

/** PostgreSQL refuses to run as root. */
async function unprivilegedUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}
