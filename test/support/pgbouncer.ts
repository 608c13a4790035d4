import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort, type Postgres } from './postgres.ts';
import { until } from './until.ts';

export interface PgBouncer extends AsyncDisposable {
  urlOf(database: string): string;
}

/** A pooler before `server`; everybody is let in as `postgres`. `settings`: lines of its file. */
export async function startPgBouncer(server: Postgres, settings: readonly string[]): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), 'lbpool-'));
  const port = await freePort();
  const user = process.getuid?.() === 0 ? await ownerOf(server) : undefined;
  const lines = [
    '[databases]',
    `* = host=${server.socketDir} port=${server.port} user=postgres`,
    '[pgbouncer]',
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'default_pool_size = 5',
    ...settings,
  ];
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(file, lines.join('\n'));
  if (user !== undefined) for (const path of [folder, file]) await chown(path, user.uid, user.gid);
  const pooler = spawn('/usr/sbin/pgbouncer', ['-q', file], { stdio: 'ignore', ...user });
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const stop = async () => {
    pooler.kill('SIGKILL');
    if (pooler.exitCode === null && pooler.signalCode === null) await once(pooler, 'exit');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      const client = new pg.Client({ connectionString: urlOf('postgres') });
      client.on('error', () => {});
      return client.connect().then(
        () => client.end().then(() => true),
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { urlOf, [Symbol.asyncDispose]: stop };
}

/** It refuses to run as root, and must reach the server's socket. */
async function ownerOf(server: Postgres): Promise<{ uid: number; gid: number }> {
  const { uid, gid } = await stat(server.socketDir);
  return { uid, gid };
}
