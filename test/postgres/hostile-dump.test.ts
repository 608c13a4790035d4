import { execFileSync } from 'node:child_process';
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
import { ambushAt, attack, catalogs, changes, reads, trapsIn } from './traps.ts';

let server: Postgres;
let marks: string;
const run = startRun({ clock: systemClock });
const all: RestoreTarget = { force: false, only: [] };
const adapter = (user = 'postgres') => postgresSource({ name: 'db', url: server.urlOf('shop', user), exclude: [] });

beforeAll(async () => {
  server = await startPostgres({ settings: ['max_connections=30'] });
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
  await server.query('CREATE EXTENSION hstore', 'shop');
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

const traps = trapsIn(() => marks);

describe('H6: what a role without rights left in its database', () => {
  test('reads no file, no password and no catalog of the server, and changes no role, database, session or file', async () => {
    const tries = [...reads, ...catalogs.map((name) => `SELECT * FROM pg_catalog.${name}`), ...changes(marks)];
    await asShop(`${attack(tries)} CREATE TABLE t (i int CHECK (public.attack(i))); INSERT INTO t VALUES (1);`);
    const contents = await contentsOf(await adapter().capture(run));
    await server.query('CREATE ROLE bystander');
    await server.createDatabase('theirs');
    const theirs = new pg.Client({ connectionString: server.urlOf('theirs') });
    theirs.on('error', () => {});
    await theirs.connect();
    const state = () =>
      server.query(`SELECT (SELECT array_agg(a::text ORDER BY 1) FROM pg_authid a) AS roles,
        (SELECT array_agg(d::text ORDER BY 1) FROM pg_database d WHERE datname <> 'back') AS databases,
        (SELECT array_agg(m.roleid || '/' || m.member ORDER BY 1) FROM pg_auth_members m) AS members`);
    const before = await state();
    await adapter().restore(contents, { ...all, into: server.urlOf('back') }, run);
    expect(await state()).toEqual(before);
    expect(readdirSync(marks)).toEqual([]);
    expect((await theirs.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }]);
    const loot = await server.query<{ what: string; how: string }>('SELECT what, how FROM public.loot', 'back');
    expect(loot).toHaveLength(tries.length);
    expect(loot.filter(({ how }) => how === 'REACHED')).toEqual([]);
    await server.query('DROP DATABASE back');

    // Tries indeed: trusted, most of it is done. What would be missed afterwards is left out.
    const harmless = [...reads.slice(0, 6), ...catalogs.slice(0, 5).map((name) => `SELECT * FROM pg_catalog.${name}`)];
    await server.script(
      `DROP FUNCTION public.attack CASCADE; DROP TABLE public.loot; ${attack(harmless)}
      ALTER TABLE t ADD CHECK (public.attack(i))`,
      'shop',
    );
    const trusted = await contentsOf(await adapter().capture(run));
    await adapter().restore(trusted, { ...all, into: server.urlOf('back'), trustCode: true }, run);
    const reached = await server.query<{ what: string }>("SELECT what FROM loot WHERE how = 'REACHED'", 'back');
    expect(reached.map(({ what }) => what)).toEqual(harmless);
    await theirs.end();
    await server.query('DROP DATABASE theirs');
    await server.query('DROP ROLE bystander');
  });

  test('ends with the restore where it never ends: neither database, role nor session is left, and the next goes on', async () => {
    await asShop(
      `CREATE FUNCTION public.never(int) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
         IF current_database() = 'shop' THEN RETURN true; END IF; LOOP BEGIN PERFORM pg_sleep(0.01); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $f$;
       CREATE TABLE t (i int CHECK (public.never(i))); INSERT INTO t VALUES (1)`,
    );
    const contents = await contentsOf(await adapter().capture(run));
    const state = () =>
      server.query(`SELECT rolname AS name FROM pg_roles UNION ALL SELECT datname FROM pg_database
        UNION ALL SELECT usename FROM pg_stat_activity WHERE usename ~ '^lifeboat' ORDER BY 1`);
    const before = await state();
    const controller = new AbortController();
    const stopped = startRun({ clock: systemClock, signal: controller.signal });
    const restoring = adapter().restore(contents, { ...all, into: server.urlOf('back') }, stopped);
    const ended = restoring.then(
      () => 'it ended',
      (error: Error) => error.message,
    );
    await expect
      .poll(() => server.query("SELECT FROM pg_stat_activity WHERE usename ~ '^lifeboat_load' AND query ~ '^COPY'"), {
        timeout: 240_000,
      })
      .toHaveLength(1);
    controller.abort(new Error('a person stopped it'));
    expect(await ended).toBe('a person stopped it');
    expect(await state()).toEqual(before);
    await asShop('ALTER TABLE t DROP CONSTRAINT t_i_check');
    const mended = await contentsOf(await adapter().capture(run));
    await adapter().restore(mended, { ...all, into: server.urlOf('back') }, run);
  });

  test('a server that has no connection left is not taken for one that lets no such role in', async () => {
    await asShop(`${ambushAt(marks)} CREATE TABLE t (i int CHECK (public.ok(i) = i)); INSERT INTO t VALUES (1)`);
    const contents = await contentsOf(await adapter().capture(run));
    const crowd: pg.Client[] = [];
    try {
      for (let refused = false; !refused; ) {
        const client = new pg.Client({ connectionString: server.urlOf('postgres', 'helper') });
        client.on('error', () => {});
        await client.connect().then(
          () => crowd.push(client),
          () => (refused = true),
        );
      }
      const error = await adapter()
        .restore(contents, { ...all, into: server.urlOf('back') }, run)
        .catch((error: LifeboatError) => error);
      expect(error).toMatchObject({
        code: 'postgres-unreachable',
        message: expect.stringContaining('connection slots'),
      });
    } finally {
      await Promise.all(crowd.map((client) => client.end()));
    }
    expect(await server.query("SELECT FROM pg_roles WHERE rolname ~ '^lifeboat'")).toEqual([]);
    expect(await server.query("SELECT FROM pg_database WHERE datname ~ '^back'")).toEqual([]);
  });

  test.each(traps)('runs no command when a superuser restores it: %s', async (_what, trap, harmless) => {
    await asShop(trap());
    const contents = await contentsOf(await adapter().capture(run));
    expect(readdirSync(marks)).toEqual([]);
    const into = server.urlOf('back');
    const before = await server.query('SELECT rolname FROM pg_roles ORDER BY 1');
    expect((await adapter().restore(contents, { ...all, into }, run)).problems).toEqual([]);
    expect((await adapter().measure(into, contents.expectations!, run)).actual).toEqual(contents.expectations);
    expect(readdirSync(marks)).toEqual([]);
    expect(await server.query('SELECT rolname FROM pg_roles ORDER BY 1')).toEqual(before);
    await server.query('DROP DATABASE back');
    if (harmless !== undefined) return;
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
    await asShop(`${ambushAt(marks)} ALTER TABLE t ADD CHECK (public.ok(i) = i)`);
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

  test('pg-07: honest dumps with code of all kinds, and a trigger that forbids, come back for a superuser, to their owners', async () => {
    await asShop(
      `CREATE SCHEMA app; CREATE FUNCTION app.low(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
       CREATE TABLE app.customer (id serial PRIMARY KEY, name text CHECK (app.low(name) <> ''), tag public.hstore);
       CREATE INDEX ON app.customer (app.low(name));
       INSERT INTO app.customer (name, tag) SELECT 'n' || g, 'a=>1' FROM generate_series(1, 50) g;
       CREATE MATERIALIZED VIEW app.names AS SELECT app.low(name) AS name FROM app.customer; CREATE INDEX ON app.names (name);
       CREATE FUNCTION app.count() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = app AS 'SELECT count(*) FROM customer';
       REVOKE ALL ON FUNCTION app.count() FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.count() TO helper;
       REVOKE DELETE ON app.customer FROM shop; GRANT SELECT ON app.customer TO PUBLIC;
       ALTER TABLE app.customer ENABLE ROW LEVEL SECURITY; ALTER TABLE app.customer FORCE ROW LEVEL SECURITY;
       CREATE POLICY all_of_them ON app.customer USING (true); SELECT lo_from_bytea(4713, 'x');
       ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO helper;`,
    );
    await server.script(
      `CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS
         $f$ BEGIN RAISE EXCEPTION 'only through migrations'; END $f$;
              CREATE PUBLICATION news FOR TABLE app.customer; COMMENT ON EXTENSION hstore IS 'ours';
       ALTER PUBLICATION news OWNER TO postgres;
       CREATE EVENT TRIGGER watching ON ddl_command_start EXECUTE FUNCTION public.watch();`,
      'shop',
    );
    const contents = await contentsOf(await adapter().capture(run));
    const into = server.urlOf('back');
    expect((await adapter().restore(contents, { ...all, into }, run)).problems).toEqual([]);
    const measured = await adapter().measure(into, contents.expectations!, run);
    expect(measured.actual).toEqual(contents.expectations);
    expect(measured.integrity.map(({ ok }) => ok)).toEqual([true, true, true]);
    const dump = (database: string) =>
      execFileSync(`${server.programs}/pg_dump`, [`--dbname=${server.urlOf(database)}`], {
        encoding: 'utf8',
      }).replaceAll(/^\\(un)?restrict .*$/gm, '');
    expect(dump('back')).toBe(dump('shop'));
    await asShop('SELECT count(*) FROM app.customer', 'back');
    expect(await server.query("SELECT FROM pg_roles WHERE rolname ~ '^lifeboat'")).toEqual([]);
  });

  test("one owner's code does not reach what is another's: a dump of several is refused", async () => {
    await asShop(
      `${ambushAt(marks)} CREATE FUNCTION public.plant(i int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
         EXECUTE 'CREATE OR REPLACE FUNCTION public.theirs() RETURNS void LANGUAGE sql SECURITY DEFINER AS ''SELECT public.deed()''';
         RETURN i; EXCEPTION WHEN OTHERS THEN RETURN i; END $f$;
       CREATE TABLE t (i int CHECK (public.plant(i) = i)); INSERT INTO t VALUES (1);`,
    );
    await server.script(
      `DROP FUNCTION public.theirs(); CREATE FUNCTION public.theirs() RETURNS void LANGUAGE sql SECURITY DEFINER AS '';`,
      'shop',
    );
    const contents = await contentsOf(await adapter().capture(run));
    const error = await adapter()
      .restore(contents, { ...all, into: server.urlOf('back') }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({
      message: expect.stringMatching(/several owners \((shop, postgres|postgres, shop)\)/),
    });
  });

  test('what only a superuser could make, and may run code, is refused and named', async () => {
    await server.script(
      `CREATE FUNCTION public.leak(int) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true';
       ALTER FUNCTION public.leak(int) OWNER TO shop; CREATE TABLE t (i int CHECK (public.leak(i)));`,
      'shop',
    );
    const contents = await contentsOf(await adapter().capture(run));
    const error = await adapter()
      .restore(contents, { ...all, into: server.urlOf('back') }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-dump-runs-code', message: expect.stringContaining('public.leak(') });
    expect(await server.query("SELECT FROM pg_roles WHERE rolname ~ '^lifeboat'")).toEqual([]);
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
    const contents = await contentsOf(await adapter().capture(run));
    await adapter().restore(contents, { ...all, into: server.urlOf('back') }, run);
    const { actual } = await adapter().measure(server.urlOf('back'), contents.expectations!, run);
    expect(actual).toEqual(contents.expectations);
  });
});
