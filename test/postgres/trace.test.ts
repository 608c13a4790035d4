import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { backUp, indexesAtOnce, pgDumpAlone, standingOf, watching } from './trace.ts';

let server: Postgres;

beforeAll(async () => {
  // Nobody else writes, so whatever is written is the backup's: no checkpoint, and no snapshot for a standby every fifteen seconds.
  const quiet = ['autovacuum=off', 'checkpoint_timeout=1d', 'wal_level=minimal', 'max_wal_senders=0'];
  server = await startPostgres({ settings: [...quiet, 'max_logical_replication_workers=0'] });
  await server.createDatabase('shop');
  await server.script(
    `DO $$ BEGIN FOR i IN 1..120 LOOP
       EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a int UNIQUE, b text)', i);
       EXECUTE format('INSERT INTO t%s (a, b) SELECT g, md5(g::text) FROM generate_series(1, 300) g', i); END LOOP; END $$;
     CREATE TABLE large AS SELECT g AS id, md5(g::text) AS b FROM generate_series(1, 150000) g;
     CREATE FUNCTION low(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)'; CREATE INDEX ON large (low(b));
     SELECT lo_from_bytea(0, '\\x00ff'); VACUUM ANALYZE`,
    'shop',
  );
  // What the first reader of a page leaves there is there now.
  await pgDumpAlone(server, 'shop');
});
afterAll(() => server?.stop());

async function measured(application: string, work: () => Promise<unknown>) {
  const alone = () => until(async () => (await standingOf(server, 'shop')).others.includes('"sessions" : null'));
  await alone();
  const before = await standingOf(server, 'shop');
  const trace = await watching(server, 'shop', application, work);
  await alone();
  return { trace, before, after: await standingOf(server, 'shop') };
}

describe('O2, pg-10, pg-11: a backup leaves no trace in a server', () => {
  test.each([
    ['directly', undefined],
    ['through PgBouncer in session mode', ['pool_mode = session', 'server_idle_timeout = 1']],
  ])('%s: it holds what pg_dump alone holds and no longer, and nothing of it stays', async (_way, settings) => {
    await using pooler = settings && (await startPgBouncer(server, settings));
    const alone = await measured('pg_dump', () => pgDumpAlone(server, 'shop'));
    const ours = await measured('lifeboat', () => backUp(server, (pooler ?? server).urlOf('shop')));
    expect(ours.after).toEqual(ours.before);
    expect(alone.after).toEqual(alone.before);
    expect(ours.trace.modes.filter((mode) => mode !== 'AccessShareLock')).toEqual([]);
    expect(ours.trace.tables).toBe(alone.trace.tables);
    expect(ours.trace.indexes).toBeLessThanOrEqual(indexesAtOnce(2));
    expect(ours.trace.sessions).toBe(2);
  });
});
