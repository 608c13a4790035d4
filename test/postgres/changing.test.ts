import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type RunEvent, startRun } from '../../src/core/run.ts';
import { type PostgresOptions, postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  for (const name of ['shop', 'back']) await server.dropDatabase(name);
  await server.createDatabase('shop');
});

const source = (options: Partial<PostgresOptions> = {}) =>
  postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [], ...options });

/** What the run said, and the contents. */
async function captured(options: Partial<PostgresOptions> = {}) {
  const said: string[] = [];
  const onEvent = (event: RunEvent) => void (event.type === 'problem' && said.push(event.problem.code));
  const adapter = source(options);
  const contents = await contentsOf(await adapter.capture(startRun({ clock: systemClock, onEvent })));
  const rows = new Map(contents.expectations?.tables.map(({ table, rows }) => [table, rows]));
  return { adapter, contents, rows, said, problems: contents.captured.problems.map(({ code }) => code) };
}

/**
 * A pg_dump before which `sql` is done, the first `times` that it works in a snapshot of ours. The first time it waits for what we hold,
 * and pg_dump behind it; then nobody holds anything.
 */
async function dumpAfter(sql: string, times: number): Promise<Partial<PostgresOptions>> {
  const folder = await temporaryFolder();
  const psql = `${server.programs}/psql -XAtqh ${server.socketDir} -p ${server.port} -U postgres shop`;
  const work = `${psql} -c '${sql}' >/dev/null 2>&1`;
  const script = `#!/bin/sh
waiting() { ${psql} -c 'SELECT count(*) FROM pg_locks WHERE NOT granted'; }
case "$*" in *--snapshot*)
  echo >> ${folder}/turns
  turn=$(wc -l < ${folder}/turns)
  if [ $turn = 1 ]; then ${work} & until [ "$(waiting)" = 1 ]; do :; done
  elif [ $turn -le ${times} ]; then ${work}; fi ;;
esac
exec ${server.programs}/pg_dump "$@"
`;
  await writeFile(join(folder, 'pg_dump'), script);
  await chmod(join(folder, 'pg_dump'), 0o755);
  return { clients: { folders: [folder, server.programs] } };
}

const partitioned = `
  CREATE TABLE p (i int) PARTITION BY RANGE (i);
  CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
  CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
  INSERT INTO p SELECT generate_series(0, 199);
  DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT %s AS i', i, i); END LOOP; END $$;`;

/** Does it again and again, beside `work`. */
async function beside<T>(statements: readonly string[], work: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: server.urlOf('shop') });
  await client.connect();
  let going = true;
  const looping = (async () => {
    while (going) for (const sql of statements) await client.query(sql);
  })();
  try {
    return await work();
  } finally {
    going = false;
    await looping;
    await client.end();
  }
}

test('pg-12: partitions that are detached and attached without a pause do not end it, and come back with their rows', async () => {
  await server.script(partitioned, 'shop');
  const attach = 'ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200)';
  const { adapter, contents, rows, problems } = await beside(['ALTER TABLE p DETACH PARTITION p2', attach], captured);
  expect(problems).toEqual([]);
  expect([rows.get('public.p1'), rows.get('public.p2'), rows.get('public.t150')]).toEqual([100, 100, 1]);
  const target = { force: false, only: [], trustCode: true, into: server.urlOf('back') };
  await adapter.restore(contents, target, startRun({ clock: systemClock }));
  expect(await server.query('SELECT count(*)::int AS n FROM p2', 'back')).toEqual([{ n: 100 }]);
});

test('pg-12: a table that is emptied before pg_dump has it is dumped from a later moment, with all that it held then', async () => {
  await server.script('CREATE TABLE a AS SELECT 1; CREATE TABLE z AS SELECT generate_series(1, 10) AS i', 'shop');
  const emptied = 'TRUNCATE public.z; INSERT INTO public.z SELECT generate_series(1, 7)';
  const { rows, problems } = await captured(await dumpAfter(emptied, 3));
  expect(problems).toEqual([]);
  expect(rows.get('public.z')).toBe(7);
});

test('pg-12: one that is emptied each time is a gap that is named, and all else is there', async () => {
  await server.script('CREATE TABLE a AS SELECT 1; CREATE TABLE z AS SELECT generate_series(1, 10) AS i', 'shop');
  const emptied = 'TRUNCATE public.z; INSERT INTO public.z VALUES (1)';
  const { rows, contents } = await captured(await dumpAfter(emptied, 100));
  expect(contents.captured.problems).toEqual([
    { code: 'table-rewritten', message: expect.stringContaining('public.z was emptied') },
  ]);
  expect([rows.get('public.a'), rows.get('public.z')]).toEqual([1, 0]);
});
