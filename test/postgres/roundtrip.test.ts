import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

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
