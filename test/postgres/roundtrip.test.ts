import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

test('a small database comes back under its name, with the same rows', async () => {
  const url = await server.createDatabase('harbor');
  await server.script(
    `CREATE TABLE invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric);
     INSERT INTO invoice (amount) SELECT g FROM generate_series(1, 1000) g;
     CREATE INDEX ON invoice (amount);`,
    'harbor',
  );
  const run = startRun({ clock: systemClock });
  const source = postgresSource({ name: 'db', url, exclude: [] });
  expect((await source.inspect(run)).problems).toEqual([]);
  const contents = await contentsOf(await source.capture(run));
  expect(contents.expectations?.tables).toContainEqual(
    expect.objectContaining({ table: 'public.invoice', rows: 1000 }),
  );

  await server.query('DROP DATABASE harbor');
  await source.restore(contents, { force: false, only: [] }, run);
  const measured = await source.measure(url, contents.expectations!, run);
  expect(measured.actual).toEqual(contents.expectations);
  expect(measured.integrity.every(({ ok }) => ok)).toBe(true);
});

test('a standby is captured as well as its primary, while it replays', async () => {
  await using standby = await startPostgres({ standbyOf: server });
  await server.createDatabase('followed');
  await server.script(
    'CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g; CREATE UNLOGGED TABLE u AS SELECT 1;',
    'followed',
  );
  const [end] = await server.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
  await until(async () => {
    const [row] = await standby.query<{ ok: boolean }>(`SELECT pg_last_wal_replay_lsn() >= '${end?.lsn}' AS ok`);
    return row?.ok;
  });
  const run = startRun({ clock: systemClock });
  const source = postgresSource({ name: 'db', url: standby.urlOf('followed'), exclude: [] });
  await source.inspect(run);
  const contents = await contentsOf(await source.capture(run));
  expect(contents.facts).toMatchObject({ fromStandby: true, database: 'followed' });
  expect(contents.captured.problems).toEqual([expect.objectContaining({ code: 'unlogged-on-standby' })]);
  await source.restore(contents, { into: server.urlOf('followed_again'), force: false, only: [] }, run);
  expect(await server.query('SELECT count(*)::int FROM t', 'followed_again')).toEqual([{ count: 1000 }]);
});
