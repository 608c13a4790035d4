import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Watch } from '../engine.ts';
import { sandboxedDatabase } from './sandbox-server.ts';

/** A session is counted when it first waits for its client, or ends. */
const countedWithinMs = 2000;

/** By the sessions that the server counts, from PostgreSQL 14 on. */
export async function watchServer(outside: string): Promise<Watch> {
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
