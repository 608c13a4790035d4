import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
const run = startRun({ clock: systemClock });

beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.script('CREATE TABLE a AS SELECT generate_series(1, 10) AS i', 'shop');
  await server.createDatabase('torn');
  // As an interrupted CREATE or DROP DATABASE leaves it.
  await server.query("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'torn'");
});
afterAll(() => server?.stop());

const source = (database: string) => postgresSource({ name: 'db', url: server.urlOf(database), exclude: [] });
const whole = { force: false, only: [], trustCode: true } as const;

test('an interrupted CREATE DATABASE is named as the source, and disturbs no neighbour', async () => {
  await expect(source('torn').capture(run)).rejects.toMatchObject({
    code: 'postgres-database-closed',
    hint: expect.stringContaining('can only be dropped'),
  });
  const { expectations } = await contentsOf(await source('shop').capture(run));
  expect(expectations?.tables).toContainEqual(expect.objectContaining({ table: 'public.a', rows: 10 }));
});

test('one under the name of the target is not replaced unasked, and gives way to a restore with force', async () => {
  const contents = await contentsOf(await source('shop').capture(run));
  const into = server.urlOf('torn');
  await expect(source('shop').restore(contents, { ...whole, into }, run)).rejects.toMatchObject({
    code: 'target-not-empty',
    message: expect.stringContaining('interrupted'),
  });
  expect(await server.query("SELECT FROM pg_database WHERE datname = 'torn' AND datconnlimit = -2")).toHaveLength(1);
  const { problems } = await source('shop').restore(contents, { ...whole, into, force: true }, run);
  expect(problems).toEqual([]);
  expect(await server.query('SELECT count(*)::int AS n FROM a', 'torn')).toEqual([{ n: 10 }]);
  const names = await server.query<{ name: string }>('SELECT datname AS name FROM pg_database ORDER BY 1');
  expect(names.map(({ name }) => name)).toEqual(['postgres', 'shop', 'template0', 'template1', 'torn']);
});

test('a database that somebody closed is named with what opens it', async () => {
  await server.createDatabase('closed');
  await server.query('ALTER DATABASE closed ALLOW_CONNECTIONS false');
  await expect(source('closed').capture(run)).rejects.toMatchObject({
    code: 'postgres-database-closed',
    hint: expect.stringContaining('ALTER DATABASE "closed" ALLOW_CONNECTIONS true'),
  });
});
