import { randomBytes } from 'node:crypto';
import { chown, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { findTools, type Tool } from '../../process/find-tool.ts';
import type { Agent } from '../../sandbox/agent-client.ts';
import { sandboxFailed, sandboxServerMissing } from '../../sandbox/errors.ts';
import type { Door, User } from '../../sandbox/protocol.ts';
import { type Sandbox, serverProcess } from '../../sandbox/sandbox.ts';
import { linkSocket, unprivilegedUser, untilAnswers } from '../server-cell.ts';
import { preloadSettings } from './preload.ts';
import { postgresFolders } from './tools.ts';

/** A private PostgreSQL server in a cell of its own. It goes with the sandbox. */
export interface SandboxPostgres {
  readonly version: string;
  /** How the application reaches it. */
  readonly door: Door;
  /** The URL of a database, over the socket, for us; the superuser's where no role is named. */
  outside(database: string, role?: string): string;
  /** The URL of a database for the application: over its door where there are cells, else over the socket. */
  inside(database: string, role: string): string;
  /**
   * Makes a role that may read everything in every database, and do nothing else: what people ask runs what restored views call.
   * Undefined where the server is too old to have such roles.
   */
  makeReader(): Promise<string | undefined>;
}

export interface ServerOptions {
  /** Of the dataset it is for. */
  readonly name: string;
  /** Of the server that was dumped: an older one may not understand the dump. */
  readonly major: number;
  /** Of the restore point that it is for. */
  readonly facts: Readonly<Record<string, unknown>>;
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
  const user = sandbox.footing === 'user' ? undefined : await unprivilegedUser('postgres');
  const folder = join(sandbox.folder, 'servers', name);
  await mkdir(folder, { mode: 0o700 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const agent = await sandbox.server(name);
  const order = {
    env: { PATH: `${programs}:/usr/bin:/bin`, LANG: 'C.UTF-8', HOME: sandbox.inside(folder) },
    directory: sandbox.inside(folder),
    ...(user === undefined ? {} : { user }),
  };
  const data = join(sandbox.inside(folder), 'data');
  await initialise(agent, { ...order, name: `initdb ${name}`, words: [] }, programs, data, signal);

  const process = serverProcess(name);
  const said = [...settings(tool.major, port), ...preloadSettings(programs, options.facts)];
  const words = [join(programs, 'postgres'), '-D', data, ...said.flatMap((one) => ['-c', one])];
  await agent.call('start', { ...order, name: process, words }, { signal });
  const socket = `.s.PGSQL.${port}`;
  const outside = (database: string, role = superuser) => urlOver(sandbox.sockets.ours, port, database, role);
  const ways = ['ways', 's'].map((one) => join(sandbox.folder, one, socket));
  const ask = async () => {
    await linkSocket(join(folder, 'data', socket), ways);
    await asSuperuser(outside('postgres'), ['SELECT 1']);
  };
  await untilAnswers({ agent, process, title: 'PostgreSQL', ask, timeoutMs: startTimeoutMs, signal });
  return {
    version: tool.version,
    door: { port, socket: join(sandbox.sockets.inside, socket) },
    outside,
    inside: (database, role) =>
      sandbox.footing === 'none'
        ? urlOver(sandbox.sockets.inside, port, database, role)
        : `postgres://${encodeURIComponent(role)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    makeReader: async () => (tool.major < 14 ? undefined : makeReader(outside('postgres'))),
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

function urlOver(folder: string, port: number, database: string, role: string): string {
  const [host, user] = [folder, role].map(encodeURIComponent);
  return `postgres:///${encodeURIComponent(database)}?host=${host}&port=${port}&user=${user}`;
}

async function makeReader(url: string): Promise<string> {
  const role = `lifeboat_read_${randomBytes(8).toString('hex')}`;
  await asSuperuser(url, [
    `CREATE ROLE ${role} LOGIN BYPASSRLS IN ROLE pg_read_all_data`,
    // For large objects no such right exists.
    `ALTER ROLE ${role} SET lo_compat_privileges = on`,
  ]);
  return role;
}

async function chooseServer(major: number, signal: AbortSignal): Promise<Tool> {
  const found = await findTools('postgres', { folders: postgresFolders, signal });
  const fitting = found.filter((tool) => tool.major >= major);
  const oldest = Math.min(...fitting.map((tool) => tool.major));
  const best = fitting.find((tool) => tool.major === oldest);
  if (best !== undefined) return best;
  throw sandboxServerMissing({
    server: 'PostgreSQL',
    needs: String(major),
    debianPackage: `postgresql-${major}`,
    found: found.map((tool) => tool.version).join(', ') || 'none',
  });
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

function settings(major: number, port: number): string[] {
  return [
    // In the folder of its data, which is closed to everybody else.
    ...[`port=${port}`, 'listen_addresses=', 'unix_socket_directories=.'],
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
    // What a restored function does ends with whoever asked for it.
    ...(major >= 14 ? ['client_connection_check_interval=2s'] : []),
  ];
}

async function asSuperuser(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}
