import { randomBytes } from 'node:crypto';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions, findTools, type Tool } from '../../process/find-tool.ts';
import type { Agent } from '../../sandbox/agent-client.ts';
import { sandboxFailed, sandboxServerMissing } from '../../sandbox/errors.ts';
import type { Door, User } from '../../sandbox/protocol.ts';
import { type Sandbox, serverProcess } from '../../sandbox/sandbox.ts';
import { linkSocket, unprivilegedUser, untilAnswers } from '../server-cell.ts';
import { connect } from './connection.ts';
import { seriesOf } from './definitions.ts';
import { parseUrl, urlOverSocket } from './url.ts';

/** A private MariaDB server in a cell of its own. It goes with the sandbox. */
export interface SandboxMariadb {
  readonly version: string;
  /** How the application reaches it. */
  readonly door: Door;
  /** The URL of a database, over the socket, for us; root's where no account is named. */
  outside(database: string, user?: string): string;
  /** The URL of a database for the application: over its door where there are cells, else over the socket. */
  inside(database: string, user: string): string;
  /** Makes an account that may read everything in a database, and call what is in it, and do nothing else. */
  makeReader(database: string): Promise<string>;
}

export interface ServerOptions {
  /** Of the dataset it is for. */
  readonly name: string;
  /** Of the server that was dumped: an older one may not understand the dump. */
  readonly version: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly startTimeoutMs?: number;
}

const serverFolders = ['/usr/sbin', '/usr/libexec', '/usr/local/sbin', '/usr/local/mariadb/bin'];

/**
 * Starts the oldest of the user's own servers that is new enough: the nearest to production.
 * @throws `sandbox-server-missing`, `sandbox-failed`
 */
export async function startMariadb(sandbox: Sandbox, options: ServerOptions): Promise<SandboxMariadb> {
  const { name, port, signal, startTimeoutMs = 60_000 } = options;
  const tool = await chooseServer(options.version, signal);
  // In a user namespace there is one user only, under whatever number; the files are its own already.
  const user = sandbox.footing === 'user' ? undefined : await unprivilegedUser('mysql');
  const folder = join(sandbox.folder, 'servers', name);
  await mkdir(folder, { mode: 0o700 });
  if (user !== undefined) await chown(folder, user.uid, user.gid);
  const agent = await sandbox.server(name);
  const inside = sandbox.inside(folder);
  const order = {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin', LANG: 'C.UTF-8', HOME: inside },
    directory: inside,
    ...(user === undefined ? {} : { user }),
  };
  await initialise(agent, { ...order, name: `mariadb-install-db ${name}`, words: [] }, inside, signal);

  const process = serverProcess(name);
  await agent.call('start', { ...order, name: process, words: [tool.path, ...settings(inside)] }, { signal });
  const socket = `mariadb.${port}`;
  const outside = (database: string, account = 'root') =>
    urlOverSocket(join(sandbox.sockets.ours, socket), account, database);
  const ways = ['ways', 's'].map((one) => join(sandbox.folder, one, socket));
  const ask = async () => {
    await linkSocket(join(folder, 'socket'), ways);
    await using _ = await connect(parseUrl(outside('mysql')), { signal });
  };
  await untilAnswers({ agent, process, title: 'MariaDB', ask, timeoutMs: startTimeoutMs, signal });
  const seen = join(sandbox.sockets.inside, socket);
  return {
    version: tool.version,
    door: { port, socket: seen },
    outside,
    inside: (database, account) =>
      sandbox.footing === 'none'
        ? urlOverSocket(seen, account, database)
        : `mysql://${encodeURIComponent(account)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    makeReader: (database) => makeReader(outside('mysql'), database, signal),
  };
}

async function makeReader(url: string, database: string, signal: AbortSignal): Promise<string> {
  const user = `lifeboat_read_${randomBytes(8).toString('hex')}`;
  await using session = await connect(parseUrl(url), { signal });
  await session.run(`CREATE USER ${user}@localhost`);
  await session.run(`GRANT SELECT, SHOW VIEW, EXECUTE ON ${patternOf(database)}.* TO ${user}@localhost`);
  return user;
}

/** In grants `_` and `%` would stand for any letters. */
export function patternOf(database: string): string {
  return `\`${database.replace(/[_%\\]/g, '\\$&').replaceAll('`', '``')}\``;
}

async function chooseServer(version: string, signal: AbortSignal): Promise<Tool> {
  const needs = seriesOf(version);
  const found = await findTools('mariadbd', { folders: serverFolders, signal });
  const fitting = found.filter((tool) => compareVersions(seriesOf(tool.version), needs) >= 0);
  // They come with the newest first.
  const oldest = fitting.at(-1);
  if (oldest !== undefined) return oldest;
  throw sandboxServerMissing({
    server: 'MariaDB',
    needs,
    debianPackage: 'mariadb-server-core',
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

async function initialise(agent: Agent, order: Order, folder: string, signal: AbortSignal): Promise<void> {
  const words = ['mariadb-install-db', '--no-defaults', `--datadir=${folder}/data`, `--tmpdir=${folder}`];
  // A cell has no names of hosts. Whoever reaches the socket is let in: those are we, and the application.
  const how = ['--force', '--skip-test-db', '--skip-name-resolve', '--auth-root-authentication-method=normal'];
  const asked = { ...order, words: [...words, ...how], timeoutMs: 120_000 };
  const ended = await agent.call('run', asked, { signal, timeoutMs: 130_000 });
  if (ended.exitCode === 0) return;
  const why = ended.tail.trim().split('\n').slice(-3).join(' · ');
  throw sandboxFailed({ doing: 'initialise a MariaDB server', why });
}

function settings(folder: string): string[] {
  return [
    ...['--no-defaults', `--datadir=${folder}/data`, `--socket=${folder}/socket`, `--tmpdir=${folder}`],
    // It is nobody's replica or source, and what a copy would do by the clock it does not (my25).
    ...['--skip-networking', '--skip-log-bin', '--skip-slave-start', '--event-scheduler=OFF', '--skip-name-resolve'],
    // Nothing of it reads or writes a file of the host's by SQL.
    ...['--local-infile=OFF', `--secure-file-priv=${folder}/data`],
    // It lives for one drill: a crash costs the drill, not data.
    ...[
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-doublewrite=OFF',
      '--innodb-flush-method=nosync',
      '--sync-frm=OFF',
    ],
    ...['--innodb-buffer-pool-size=128M', '--innodb-log-file-size=256M', '--max-allowed-packet=1G'],
    ...['--max-connections=100', '--skip-log-error', '--pid-file=server.pid'],
  ];
}
