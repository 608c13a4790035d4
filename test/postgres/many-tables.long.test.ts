import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { pgDumpAlone } from './trace.ts';

const tables = 20_000;

let server: Postgres;

beforeAll(async () => {
  // Two sessions hold every table: ours and that of pg_dump.
  server = await startPostgres({ settings: ['autovacuum=off', 'max_locks_per_transaction=512'] });
  await server.createDatabase('shop');
  await server.script(
    `DO $$ BEGIN FOR i IN 1..${tables} LOOP
       EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a int, b text); CREATE INDEX ON t%s (a); INSERT INTO t%s VALUES (%s, 1, ''x'')', i, i, i, i);
       IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$; VACUUM ANALYZE`,
    'shop',
  );
});
afterAll(() => server?.stop());

test('pg-11: twenty thousand tables are backed up, also by a role whose statements may not take long', async () => {
  await server.query("ALTER ROLE postgres IN DATABASE shop SET statement_timeout = '25ms'");
  let at = performance.now();
  await pgDumpAlone(server, 'shop');
  const alone = performance.now() - at;
  at = performance.now();
  const capture = await postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [] }).capture(
    startRun({ clock: systemClock }),
  );
  const { expectations } = await contentsOf(capture);
  console.info(
    `${tables} tables: pg_dump alone ${Math.round(alone)} ms, a capture ${Math.round(performance.now() - at)} ms`,
  );
  expect(expectations?.tables.filter(({ table, rows }) => /^public\.t\d+$/.test(table) && rows === 1)).toHaveLength(
    tables,
  );
});
