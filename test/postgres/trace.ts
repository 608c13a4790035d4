import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import type { Postgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

/** What sessions of one application were seen to do in a database, from outside, as often as the server answers. */
export interface Trace {
  /** Sessions of it at one time, at most. */
  readonly sessions: number;
  /** Modes of the locks that it held on relations of the database, and whatever else than relations it locked. */
  readonly modes: readonly string[];
  /** Relations of the database that one session of it held at one time, at most. */
  readonly tables: number;
  readonly indexes: number;
}

/** Looks as long as `work` goes on. The look itself is a session in another database. */
export async function watching(
  server: Postgres,
  database: string,
  application: string,
  work: () => Promise<unknown>,
): Promise<Trace> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const inside = new pg.Client({ connectionString: server.urlOf(database) });
  await inside.connect();
  const { rows: known } = await inside.query<{ oid: string; kind: string }>(
    'SELECT oid::text, relkind AS kind FROM pg_class WHERE oid >= 16384',
  );
  await inside.end();
  const kinds = new Map(known.map(({ oid, kind }) => [oid, kind]));
  const modes = new Set<string>();
  let [sessions, tables, indexes] = [0, 0, 0];
  let going = true;
  const looking = (async () => {
    while (going) {
      const { rows } = await client.query<{ pid: number; locks: { type: string; on: string; mode: string }[] }>(
        `SELECT a.pid, (SELECT coalesce(json_agg(json_build_object('type', locktype, 'on', relation::text, 'mode', mode)), '[]')
           FROM pg_locks l WHERE l.pid = a.pid AND locktype <> 'virtualxid') AS locks
         FROM pg_stat_activity a WHERE application_name = $1 AND datname = $2`,
        [application, database],
      );
      sessions = Math.max(sessions, rows.length);
      for (const { locks } of rows) {
        for (const { type, on, mode } of locks) {
          if (type !== 'relation') modes.add(`${mode} on ${type}`);
          else if (kinds.has(on)) modes.add(mode);
        }
        const many = (kind: RegExp) => locks.filter(({ on }) => kind.test(kinds.get(on) ?? '')).length;
        tables = Math.max(tables, many(/[rpS]/));
        indexes = Math.max(indexes, many(/[iI]/));
      }
    }
  })();
  try {
    await work();
  } finally {
    going = false;
    await looking;
    await client.end();
  }
  return { sessions, modes: [...modes].sort(), tables, indexes };
}

export async function pgDumpAlone({ programs, socketDir, port }: Postgres, database: string): Promise<void> {
  const env = { ...process.env, PGAPPNAME: 'pg_dump', PGHOST: socketDir, PGPORT: String(port), PGUSER: 'postgres' };
  const words = ['--format=custom', '--compress=0', '--no-sync', '--file=/dev/null', database];
  await promisify(execFile)(join(programs, 'pg_dump'), words, { env });
}

/** Fifty tables are counted by one query, which holds their indexes. `each`: indexes of a table. */
export const indexesAtOnce = (each: number) => 50 * each;

/** When its dump has ended nothing may be held any more, whatever is still to be stored. */
export async function backUp(server: Postgres, url: string) {
  const capture = await postgresSource({ name: 'db', url, exclude: [] }).capture(startRun({ clock: systemClock }));
  return await contentsOf({
    ...capture,
    async finish(leftOut) {
      const held = "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'lifeboat'";
      await until(async () => (await server.query(held)).length === 0);
      return await capture.finish(leftOut);
    },
  });
}

/** What stays in a server when somebody has gone. */
export interface Standing {
  /** The next transaction's number: whoever writes anything into a table, a catalog or a temporary object takes one. */
  readonly nextTransaction: string;
  readonly wal: string;
  readonly temporary: string;
  /** Roles, their settings and the server's, sessions, locks, slots, prepared transactions. */
  readonly others: string;
}

export async function standingOf(server: Postgres, database: string): Promise<Standing> {
  const [standing] = await server.query<Standing>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS "nextTransaction",
       pg_current_wal_insert_lsn()::text AS wal,
       (SELECT temp_files || ' files, ' || temp_bytes || ' bytes' FROM pg_stat_database WHERE datname = '${database}') AS temporary,
       json_build_object(
         'settings', (SELECT json_agg(s ORDER BY s::text) FROM pg_db_role_setting s),
         'server', (SELECT md5(string_agg(name || setting, ',' ORDER BY name)) FROM pg_settings),
         'roles', (SELECT md5(string_agg(r::text, ',' ORDER BY rolname)) FROM pg_roles r),
         'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database),
         'sessions', (SELECT json_agg(application_name) FROM pg_stat_activity
           WHERE datname = '${database}' AND application_name !~ '^pgbench'),
         'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
         'slots', (SELECT count(*) FROM pg_replication_slots),
         'prepared', (SELECT count(*) FROM pg_prepared_xacts)
       )::text AS others`,
  );
  return standing as Standing;
}
