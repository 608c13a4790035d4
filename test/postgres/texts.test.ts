import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';

let server: Postgres;
let locales: TemporaryFolder;
const run = startRun({ clock: systemClock });

beforeAll(async () => {
  locales = await makeTemporaryFolder({ open: true });
  for (const locale of ['es_AR', 'ja_JP']) {
    execFileSync('localedef', ['-i', locale, '-f', 'UTF-8', join(locales.path, `${locale}.UTF-8`)]);
  }
  server = await startPostgres({ locales: locales.path });
  await server.script('CREATE ROLE app LOGIN CREATEDB');
});
afterAll(async () => {
  await server?.stop();
  await locales?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await server.query('DROP DATABASE IF EXISTS shop');
  await server.query('DROP DATABASE IF EXISTS back');
  await server.query('ALTER ROLE app RESET ALL; ALTER ROLE postgres RESET ALL');
  await server.createDatabase('shop', 'OWNER app');
  await server.script(
    `SET ROLE app; SET lc_monetary = 'C';
     CREATE TABLE t (m money DEFAULT '12.34', b bytea, at timestamptz, day date, i interval, f float8, a text[], x xml, c text,
       CHECK (c IS NULL OR c <> 'no'));
     INSERT INTO t VALUES ('12.34', '\\x00ff41', '2024-03-01 12:00+05', '2024-02-03', '-1 day 2 hours', 0.1::float8 + 0.2,
       ARRAY['NULL', NULL, 'a\\b'], '<a>é</a>', 'ä'), ('999.99', '', 'infinity', 'epoch', '1 year -3 days', 'NaN', '{}', '', '€'),
       ('-92233720368547758.08', 'x', '-infinity', '0044-03-15 BC', '-00:00:00.000001', 1e-300, NULL, NULL, E'\\\\\\n');`,
    'shop',
  );
});

const truth = (database: string) =>
  server.query(
    `SELECT m::numeric::text AS m, encode(b, 'hex') AS b, extract(epoch FROM at)::text AS at, (day - date '2000-01-01')::text AS day,
       extract(epoch FROM i)::text AS i, float8send(f)::text AS f, array_to_string(a, '|', 'null') AS a, x::text AS x, c FROM t
     ORDER BY 1, 2`,
    database,
  );

async function there(as: string): Promise<void> {
  const adapter = postgresSource({ name: 'db', url: server.urlOf('shop', as), exclude: [] });
  const contents = await contentsOf(await adapter.capture(run));
  const restored = await adapter.restore(contents, { into: server.urlOf('back', as), force: false, only: [] }, run);
  expect(restored.problems.filter(({ code }) => code !== 'role-passwords-absent')).toEqual([]);
  const { actual } = await adapter.measure(server.urlOf('back', as), contents.expectations!, run);
  expect(actual).toEqual(contents.expectations);
  // Its rows replace those of the live table too.
  await server.query('BEGIN READ WRITE; DELETE FROM public.t; COMMIT', 'back');
  await adapter.restore(contents, { into: server.urlOf('back', as), force: true, only: ['t'], trustCode: true }, run);
}

const settings: Array<[string, string]> = [
  ['lc_monetary', "'es_AR.UTF-8'"],
  ['lc_monetary', "'ja_JP.UTF-8'"],
  ['bytea_output', "'escape'"],
  ['client_encoding', "'LATIN1'"],
  ['DateStyle', "'SQL, DMY'"],
  ['IntervalStyle', "'sql_standard'"],
  ['extra_float_digits', '-15'],
  ['TimeZone', "'America/St_Johns'"],
  ['standard_conforming_strings', 'off'],
  ['search_path', "'app, nowhere'"],
  ['array_nulls', 'off'],
  ['quote_all_identifiers', 'on'],
  ['default_transaction_read_only', 'on'],
];

describe('pg-05, pg-06: values come back, and are measured equal, whatever the sessions of a role write', () => {
  test.each([
    ['money of Argentina', settings.slice(0, 1)],
    ['money without cents, and all others', settings.slice(1)],
  ])('of the database: %s', async (_what, chosen) => {
    const was = await truth('shop');
    for (const [name, value] of chosen) await server.query(`ALTER DATABASE shop SET ${name} = ${value}`);
    await there('postgres');
    await server.query('ALTER DATABASE back RESET ALL');
    expect(await truth('back')).toEqual(was);
  });

  test('of the role: all of them at once', async () => {
    const was = await truth('shop');
    for (const [name, value] of settings.slice(1)) await server.query(`ALTER ROLE app SET ${name} = ${value}`);
    await there('app');
    expect(await truth('back')).toEqual(was);
  });

  test('of the host: PGCLIENTENCODING and PGOPTIONS reach no program', async () => {
    const was = await truth('shop');
    Object.assign(process.env, {
      PGCLIENTENCODING: 'LATIN1',
      PGOPTIONS: '-c bytea_output=escape',
      PGDATESTYLE: 'SQL, DMY',
    });
    try {
      await there('app');
    } finally {
      for (const name of ['PGCLIENTENCODING', 'PGOPTIONS', 'PGDATESTYLE']) delete process.env[name];
    }
    expect(await truth('back')).toEqual(was);
  });
});
