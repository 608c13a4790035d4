import { open, stat, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type AppConfig, restoredVariable } from '../../config/system.ts';
import { variablesOf } from '../../core/template.ts';
import { sandboxedDatabase } from '../../sandbox/postgres.ts';
import type { Copy, Drill } from './parts.ts';

/** Whether anybody opened a restored database since; undefined where that cannot be told. */
type Watch = () => Promise<boolean | undefined>;

/**
 * From the moment the application starts nobody else opens the restored databases. @returns what to say of those that it never opened:
 * answers that came from elsewhere prove nothing of them
 */
export async function watchOpening(app: AppConfig, { copies }: Drill): Promise<() => Promise<string[]>> {
  const databases = [...copies.values()].filter(({ kind }) => kind !== 'files');
  const watches = await Promise.all(
    databases.map(async (copy) => ({
      copy,
      wasOpened: await (copy.kind === 'sqlite' ? watchFile : watchServer)(copy),
    })),
  );
  const named = new Set(Object.values(app.env).flatMap(({ shown }) => variablesOf(shown)));
  return async () => {
    const seen = await Promise.all(watches.map(async ({ copy, wasOpened }) => ({ copy, opened: await wasOpened() })));
    const none = seen.every(({ opened }) => opened === false);
    return seen.flatMap(({ copy: { dataset }, opened }) => {
      if (opened !== false || !(none || named.has(restoredVariable(dataset)))) return [];
      return [
        `The application never opened the restored ${dataset}: its answers came from elsewhere. It is given it as ${restoredVariable(dataset)}.`,
      ];
    });
  };
}

const longAgo = new Date(0);

/** By the time of the last read, where the file system keeps it. */
async function watchFile({ outside }: Copy): Promise<Watch> {
  const { mtime } = await stat(outside);
  const forget = () => utimes(outside, longAgo, mtime);
  const wasRead = async () => (await stat(outside)).atimeMs !== longAgo.getTime();
  await forget();
  {
    await using file = await open(outside, 'r');
    await file.read(Buffer.alloc(1), 0, 1, 0);
  }
  const isKept = await wasRead();
  await forget();
  return async () => (isKept ? wasRead() : undefined);
}

/** A session is counted when it first waits for its client, or ends. */
const countedWithinMs = 2000;

/** By the sessions that the server counts, from PostgreSQL 14 on. */
async function watchServer({ outside }: Copy): Promise<Watch> {
  const before = await sessionsIn(outside);
  return async () => {
    if (before === undefined) return undefined;
    const deadline = performance.now() + countedWithinMs;
    for (;;) {
      const now = await sessionsIn(outside);
      if (now === undefined || now > before || performance.now() > deadline)
        return now === undefined ? now : now > before;
      await sleep(50);
    }
  };
}

async function sessionsIn(outside: string): Promise<number | undefined> {
  const address = sandboxedDatabase(outside);
  const client = new pg.Client({ ...address, database: 'postgres', connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const query = 'SELECT sessions FROM pg_catalog.pg_stat_database WHERE datname = $1';
    const { rows } = await client.query<{ sessions: string }>(query, [address.database]);
    return rows[0] === undefined ? undefined : Number(rows[0].sessions);
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
