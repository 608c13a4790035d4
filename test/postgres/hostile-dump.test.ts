import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { LifeboatError } from '../../src/core/errors.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import type { Contents, RestoreTarget } from '../../src/sources/source.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let marks: string;
const run = startRun({ clock: systemClock });
const all: RestoreTarget = { force: false, only: [] };
const adapter = (user = 'postgres') => postgresSource({ name: 'db', url: server.urlOf('shop', user), exclude: [] });

beforeAll(async () => {
  server = await startPostgres();
  await server.script('CREATE ROLE shop LOGIN CREATEDB; CREATE ROLE helper LOGIN CREATEDB IN ROLE shop;');
  await server.script('GRANT pg_execute_server_program TO helper');
});
afterAll(() => server?.stop());
beforeEach(async () => {
  marks = mkdtempSync(join(tmpdir(), 'lifeboat-marks-'));
  await chmod(marks, 0o777);
  await server.query('DROP DATABASE IF EXISTS shop');
  await server.query('DROP DATABASE IF EXISTS back');
  await server.createDatabase('shop', 'OWNER shop');
});
afterEach(() => rmSync(marks, { recursive: true }));

/** As the application's role, which is no superuser: the attacker. */
async function asShop(sql: string, database = 'shop'): Promise<void> {
  const client = new pg.Client({ connectionString: server.urlOf(database, 'shop') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Waits until somebody runs it who may run programs. What calls itself immutable may not do that, but call what does. */
const ambush = () => `
  CREATE FUNCTION public.deed() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
    IF pg_has_role(current_user, 'pg_execute_server_program', 'MEMBER') THEN
      EXECUTE 'COPY (SELECT 1) TO PROGRAM ''cat > ${marks}/EXECUTED''';
    END IF; END $f$;
  CREATE FUNCTION public.ok(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $f$ BEGIN PERFORM public.deed(); RETURN i; END $f$;`;

const traps: Array<[string, () => string]> = [
  [
    'the check of a table',
    () => `${ambush()} CREATE TABLE t (i int CHECK (public.ok(i) = i)); INSERT INTO t VALUES (1);`,
  ],
  [
    'the check of a domain',
    () => `${ambush()} CREATE DOMAIN d AS int CHECK (public.ok(VALUE) = VALUE); CREATE TABLE t (i d);
      INSERT INTO t VALUES (1);`,
  ],
  [
    'a generated column',
    () => `${ambush()} CREATE TABLE t (i int, g int GENERATED ALWAYS AS (public.ok(i)) STORED);
      INSERT INTO t VALUES (1);`,
  ],
  [
    'the key of partitions',
    () => `${ambush()} CREATE TABLE t (i int) PARTITION BY RANGE (public.ok(i));
      CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); INSERT INTO t VALUES (1);`,
  ],
  [
    'an operator in a check',
    () => `${ambush()} CREATE FUNCTION public.eq(a int, b text) RETURNS boolean LANGUAGE sql IMMUTABLE
        AS 'SELECT public.ok(a) = a';
      CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = public.eq);
      CREATE TABLE t (i int, c text, CHECK (i OPERATOR(public.===) c)); INSERT INTO t VALUES (1, 'x');`,
  ],
  [
    'a function of PostgreSQL itself, which writes a file',
    () => `SELECT lo_from_bytea(4711, 'x');
      CREATE TABLE t (i int CHECK (CASE WHEN current_setting('is_superuser') = 'on'
        THEN query_to_xml('SELECT lo_export(4711, ''${marks}/EXECUTED'')', true, true, '') IS NOT NULL ELSE true END));
      ALTER TABLE t ALTER COLUMN i SET DEFAULT 1; INSERT INTO t VALUES (1);`,
  ],
];

describe('H6: what a role without rights left in its database', () => {
  test.each(traps)('runs no command when a superuser restores it: %s', async (_what, trap) => {
    await asShop(trap());
    const contents = await contentsOf(await adapter().capture(run));
    const into = server.urlOf('back');
    const error = await adapter()
      .restore(contents, { ...all, into }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-dump-runs-code', hint: expect.stringContaining('--trust-code') });
    expect(readdirSync(marks)).toEqual([]);
    expect(await server.query("SELECT datname FROM pg_database WHERE datname ~ '^back'")).toEqual([]);
    // A trap indeed: trusted, it does.
    await adapter().restore(contents, { ...all, into, trustCode: true }, run);
    expect(readdirSync(marks)).toEqual(['EXECUTED']);
  });

  test('is refused to a role that is no superuser and may run programs', async () => {
    await asShop(traps[0]?.[1]() ?? '');
    const contents = await contentsOf(await adapter().capture(run));
    const error = await adapter('helper')
      .restore(contents, { ...all, into: server.urlOf('back', 'helper') }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-dump-runs-code' });
    expect(readdirSync(marks)).toEqual([]);
  });

  test('comes back as its owner, who has no rights that it could use, and is measured equal', async () => {
    await asShop(traps[0]?.[1]() ?? '');
    const contents = await contentsOf(await adapter().capture(run));
    const into = server.urlOf('back', 'shop');
    const restored = await adapter().restore(contents, { ...all, into }, run);
    expect(restored.problems).toEqual([]);
    const { actual, integrity } = await adapter().measure(server.urlOf('back'), contents.expectations!, run);
    expect(actual).toEqual(contents.expectations);
    expect(integrity.every(({ ok }) => ok)).toBe(true);
    expect(readdirSync(marks)).toEqual([]);
  });

  test('is not run by rows that replace those of a live table', async () => {
    await asShop('CREATE TABLE t (i int); INSERT INTO t VALUES (1)');
    const contents = await contentsOf(await adapter().capture(run));
    await asShop(`${ambush()} ALTER TABLE t ADD CHECK (public.ok(i) = i)`);
    const error = await adapter()
      .restore(contents, { force: true, only: ['t'] }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-dump-runs-code' });
    expect(readdirSync(marks)).toEqual([]);
    await adapter('shop').restore(contents, { force: true, only: ['t'] }, run);
    expect(readdirSync(marks)).toEqual([]);
  });

  test('cannot be added while a superuser loads: the database is closed to its owner', async () => {
    await asShop(
      'CREATE TABLE t (i text); INSERT INTO t SELECT repeat(md5(g::text), 9) FROM generate_series(1, 9999) g',
    );
    const contents = await contentsOf(await adapter().capture(run));
    const refused: unknown[] = [];
    const watched: Contents = {
      ...contents,
      async *read(path) {
        for await (const bytes of contents.read(path)) {
          const made = await server.query<{ name: string }>(
            "SELECT datname AS name FROM pg_database WHERE datname ~ '^back__'",
          );
          for (const { name } of made) {
            await asShop(`ALTER DATABASE "${name}" CONNECTION LIMIT -1`, 'postgres').catch((error: Error) =>
              refused.push(error.message),
            );
            await asShop('SELECT 1', name).catch((error: Error) => refused.push(error.message));
          }
          yield bytes;
        }
      },
    };
    await adapter().restore(watched, { ...all, into: server.urlOf('back') }, run);
    expect(refused.slice(0, 2)).toEqual([
      expect.stringContaining('must be owner of database'),
      expect.stringContaining('too many connections'),
    ]);
    await asShop('SELECT count(*) FROM t', 'back');
  });

  test('does not keep a superuser from what runs nothing: triggers, functions, plain checks, views', async () => {
    await asShop(
      `CREATE TYPE mood AS ENUM ('sad', 'ok');
       CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) UNIQUE NOT NULL, mood mood,
         CHECK (length(name) > 0), CHECK (lower(name) <> 'it''s (bad);'), at timestamptz DEFAULT now());
       CREATE TABLE "odd ""one"" (" (id serial PRIMARY KEY, customer bigint REFERENCES customer (id) ON DELETE CASCADE,
         net numeric(12, 2) CHECK (net > 0), gross numeric GENERATED ALWAYS AS (round(net * 1.19, 2)) STORED,
         kind text CHECK (kind IN ('a', 'b')));
       CREATE INDEX ON customer (lower(name), id DESC) WHERE mood = 'ok';
       CREATE TABLE event (at timestamptz, tenant int) PARTITION BY RANGE (at);
       CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
       CREATE VIEW happy AS SELECT id, upper(name) AS name FROM customer WHERE mood = 'ok';
       CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := trim(NEW.name); RETURN NEW; END $$;
       CREATE TRIGGER touch BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION touch();
       ALTER TABLE customer DISABLE TRIGGER touch;
       COMMENT ON TABLE customer IS 'it''s; "ours"';
       ALTER TABLE customer ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON customer USING (name = current_user);
       GRANT SELECT ON customer TO PUBLIC; GRANT EXECUTE ON FUNCTION touch() TO helper;
       INSERT INTO customer (name, mood) VALUES ('ann', 'ok'); INSERT INTO event VALUES ('2024-02-03', 1);
       SELECT lo_from_bytea(4712, 'x');`,
    );
    await server.query('CREATE EXTENSION hstore', 'shop');
    const contents = await contentsOf(await adapter().capture(run));
    await adapter().restore(contents, { ...all, into: server.urlOf('back') }, run);
    const { actual } = await adapter().measure(server.urlOf('back'), contents.expectations!, run);
    expect(actual).toEqual(contents.expectations);
  });
});
