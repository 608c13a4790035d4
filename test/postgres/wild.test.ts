import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { checkExpectations } from '../../src/operations/drill/checks/expectations.ts';
import { type PostgresOptions, postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

// A server with little room for locks: for about 1,100, and some more where memory is left.
const fewLocks = ['max_connections=12', 'max_worker_processes=0', 'max_wal_senders=0', 'autovacuum_max_workers=1'];

let server: Postgres;
const run = startRun({ clock: systemClock });

beforeAll(async () => {
  server = await startPostgres({ settings: [...fewLocks, 'max_logical_replication_workers=0'] });
});
afterAll(() => server?.stop());
beforeEach(async () => {
  for (const name of ['shop', 'back']) await server.dropDatabase(name);
  await server.createDatabase('shop');
});

const source = (options: Partial<PostgresOptions> = {}) =>
  postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [], ...options });
const everywhere = { force: false, only: [], trustCode: true } as const;

/** Backs up, restores, measures: what a drill would say. */
async function roundTrip(options: Partial<PostgresOptions> = {}) {
  const adapter = source(options);
  const contents = await contentsOf(await adapter.capture(run));
  const { problems, notCompared } = await adapter.restore(contents, { ...everywhere, into: server.urlOf('back') }, run);
  const measured = await adapter.measure(server.urlOf('back'), contents.expectations!, run, contents);
  const finding = checkExpectations(contents.expectations, measured.actual, contents.facts, notCompared);
  return { contents, problems, measured, finding };
}

describe('a capture of a database that others work on', () => {
  test('pg-11: counting takes the locks that pg_dump takes, not one for every index', async () => {
    await server.script(
      `DO $$ BEGIN FOR i IN 1..800 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a int UNIQUE, b int UNIQUE)', i);
         IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$`,
      'shop',
    );
    const contents = await contentsOf(await source().capture(run));
    expect(contents.expectations?.tables.filter(({ table }) => table.startsWith('public.t'))).toHaveLength(800);
  });

  test('pg-12: no table is emptied or rewritten between the snapshot and the dump, and nothing is held afterwards', async () => {
    await server.script('CREATE TABLE a AS SELECT 1; CREATE TABLE z AS SELECT generate_series(1, 1000) AS i', 'shop');
    const other = new pg.Client({ connectionString: server.urlOf('shop') });
    await other.connect();
    const capture = await source().capture(run);
    let done = false;
    const truncated = other.query('TRUNCATE z').finally(() => {
      done = true;
    });
    await until(async () => (await server.query('SELECT FROM pg_locks WHERE NOT granted')).length === 1);
    const contents = await contentsOf({
      ...capture,
      async finish(leftOut) {
        // The dump has ended: whoever waited goes on, however long the rest takes.
        await until(() => done);
        return capture.finish(leftOut);
      },
    });
    await truncated;
    await other.end();
    expect(contents.expectations?.tables).toContainEqual(expect.objectContaining({ table: 'public.z', rows: 1000 }));
  });

  test('pg-12: whoever waits for a table that is held does not wait for pg_dump, which waits behind him', async () => {
    await server.script('CREATE TABLE a AS SELECT 1; CREATE TABLE z AS SELECT generate_series(1, 10) AS i', 'shop');
    const folder = await temporaryFolder();
    const psql = `${server.programs}/psql -Xqh ${server.socketDir} -p ${server.port} -U postgres shop`;
    const waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = ''public.z''::regclass";
    await writeFile(
      join(folder, 'pg_dump'),
      `#!/bin/sh
case "$*" in *--snapshot*) if mkdir ${folder}/once 2>/dev/null; then
  ${psql} -c 'ALTER TABLE public.z ADD COLUMN later int' >/dev/null 2>&1 &
  ${psql} -c "DO \\$\\$ BEGIN WHILE (${waiting.replaceAll("''", "'")}) = 0 LOOP PERFORM pg_sleep(0.02); PERFORM pg_stat_clear_snapshot(); END LOOP; END \\$\\$" >/dev/null 2>&1
fi;; esac
exec ${server.programs}/pg_dump "$@"
`,
    );
    await chmod(join(folder, 'pg_dump'), 0o755);
    const adapter = source({ clients: { folders: [folder, server.programs] } });
    const contents = await contentsOf(await adapter.capture(run));
    expect(contents.expectations?.tables).toContainEqual(expect.objectContaining({ table: 'public.z', rows: 10 }));
    await adapter.restore(contents, { ...everywhere, into: server.urlOf('back') }, run);
    expect(await server.query('SELECT later FROM z LIMIT 1', 'back')).toEqual([{ later: null }]);
  });

  test('a table that is dropped before it is held does not end it', async () => {
    await server.script('CREATE TABLE a AS SELECT 1; CREATE TABLE b AS SELECT 1; CREATE TABLE c AS SELECT 1', 'shop');
    const other = new pg.Client({ connectionString: server.urlOf('shop') });
    await other.connect();
    await other.query('BEGIN; DROP TABLE b');
    const capturing = source().capture(run);
    await until(async () => (await server.query('SELECT FROM pg_locks WHERE NOT granted')).length === 1);
    await other.query('COMMIT');
    await other.end();
    const { expectations } = await contentsOf(await capturing);
    const named = expectations?.tables.flatMap(({ table }) => (table.startsWith('public.') ? [table] : []));
    expect(named).toEqual(['public.a', 'public.c']);
  });
});

test('pg-14: what is left out is named at the backup when others refer to it, and by the restore and the comparison', async () => {
  await server.script(
    `CREATE TABLE logs (id int PRIMARY KEY); INSERT INTO logs VALUES (5);
     CREATE TABLE inv (l int REFERENCES logs); INSERT INTO inv VALUES (5);`,
    'shop',
  );
  const { contents, problems, finding } = await roundTrip({ exclude: [{ table: 'logs', reason: 'only logs' }] });
  expect(contents.captured.problems).toEqual([
    {
      code: 'excluded-table-referenced',
      message: expect.stringMatching(/public\.inv refers .* public\.logs.*inv_l_fkey/),
    },
  ]);
  expect(problems).toEqual([
    { code: 'rows-left-out', message: 'public.logs comes back without rows (excluded: only logs).' },
    { code: 'constraint-not-validated', message: expect.stringMatching(/inv inv_l_fkey.*NOT VALID/) },
  ]);
  expect(finding).toMatchObject({
    verdict: 'pass',
    message: expect.stringContaining('Not compared: public.logs (excluded: only logs).'),
  });
  expect(await server.query('SELECT l FROM inv', 'back')).toEqual([{ l: 5 }]);
});

describe('pg-02: one object that cannot be made as the dump says keeps nothing else away', () => {
  const beside = 'CREATE TABLE beside AS SELECT generate_series(1, 7) AS i; CREATE INDEX ON beside (i);';

  test.each([
    [
      'a materialised view over a function with an unqualified table',
      `CREATE TABLE rates (c text, r numeric); INSERT INTO rates VALUES ('eur', 1.1);
       CREATE FUNCTION rate(x text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT r FROM rates WHERE c = x';
       CREATE TABLE inv (id int, c text); INSERT INTO inv VALUES (1, 'eur');
       CREATE VIEW between AS SELECT id, rate(c) FROM inv; CREATE MATERIALIZED VIEW tot AS SELECT id, rate FROM between;`,
      'SELECT rate::text AS found FROM tot',
      '1.1',
    ],
    [
      'a check that reads another table',
      `CREATE TABLE zone (k text); INSERT INTO zone VALUES ('a');
       CREATE FUNCTION ok(x text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM public.zone WHERE k = x)';
       CREATE TABLE aaa (k text CHECK (ok(k))); INSERT INTO aaa VALUES ('a');`,
      "SELECT k || convalidated AS found FROM aaa, pg_constraint WHERE conname = 'aaa_k_check'",
      'atrue',
    ],
    [
      'a generated column that calls an unqualified function',
      `CREATE FUNCTION one(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
       CREATE FUNCTION two(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN one(x); END';
       CREATE TABLE g (a int, b int GENERATED ALWAYS AS (two(a)) STORED); INSERT INTO g (a) VALUES (3);`,
      'SELECT b::text AS found FROM g',
      '4',
    ],
    [
      'an index on such a function',
      `CREATE FUNCTION one(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
       CREATE FUNCTION two(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN one(x); END';
       CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE INDEX i ON t (two(a));`,
      "SELECT count(*)::text AS found FROM pg_class WHERE relname = 'i'",
      '1',
    ],
  ])('and comes back all the same: %s', async (_what, sql, query, found) => {
    await server.script(`${sql} ${beside}`, 'shop');
    const { problems, finding } = await roundTrip();
    expect(problems).toEqual([]);
    expect(finding.message).toMatch(/^As recorded/);
    expect(await server.query(query, 'back')).toEqual([{ found }]);
  });

  test.each([
    [
      'a foreign key that rows break',
      `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);
       SET session_replication_role = replica; DELETE FROM p;`,
      { code: 'constraint-not-validated', message: expect.stringMatching(/FK CONSTRAINT public\.c c_p_fkey/) },
    ],
    [
      'a check that rows broke since',
      `CREATE TABLE e (n int CHECK (n < 5), v text); INSERT INTO e VALUES (1, 'x');
       UPDATE pg_constraint SET conbin = NULL WHERE false;
       CREATE FUNCTION limit_of() RETURNS int LANGUAGE sql STABLE AS 'SELECT 5';
       ALTER TABLE e ADD CHECK (n < limit_of()); CREATE OR REPLACE FUNCTION limit_of() RETURNS int LANGUAGE sql STABLE AS 'SELECT 0';`,
      { code: 'constraint-not-validated', message: expect.stringMatching(/CHECK CONSTRAINT public\.e e_n_check1/) },
    ],
    [
      'a unique index with duplicates',
      `CREATE TABLE d (e int); INSERT INTO d VALUES (1), (1); CREATE INDEX u ON d (e);
       UPDATE pg_index SET indisunique = true WHERE indexrelid = 'u'::regclass;`,
      {
        code: 'object-not-made-again',
        message: expect.stringMatching(/INDEX public\.u could not .*could not create unique/),
      },
    ],
  ])('and is named: %s', async (_what, sql, problem) => {
    await server.script(`${sql}; RESET session_replication_role; ${beside}`, 'shop');
    const { problems } = await roundTrip();
    expect(problems).toEqual([problem]);
    expect(await server.query('SELECT count(*)::int FROM beside', 'back')).toEqual([{ count: 7 }]);
  });
});

describe('pg-02f: a materialised view that another server fills is no fault of the backup', () => {
  const filled = 'SELECT relispopulated AS found FROM pg_class WHERE relname';

  test('whether its server or its file is away; views made from it stay empty too, and everything else is back', async () => {
    await server.query('DROP DATABASE IF EXISTS far WITH (FORCE)');
    await server.createDatabase('far');
    await server.script('CREATE TABLE remote AS SELECT 7 AS i', 'far');
    const folder = await temporaryFolder();
    const file = join(folder, 'rates.csv');
    await chmod(folder, 0o755);
    await writeFile(file, '1\n');
    await server.script(
      `CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw; CREATE EXTENSION dblink;
       CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${server.socketDir}', port '${server.port}', dbname 'far');
       CREATE USER MAPPING FOR postgres SERVER far;
       CREATE TABLE parts (i int) PARTITION BY RANGE (i);
       CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10) SERVER far OPTIONS (table_name 'remote');
       CREATE VIEW between AS SELECT i FROM parts;
       CREATE MATERIALIZED VIEW afar AS SELECT i FROM between;
       CREATE MATERIALIZED VIEW again AS SELECT i FROM afar; CREATE INDEX ON again (i);
       CREATE SERVER disk FOREIGN DATA WRAPPER file_fdw;
       CREATE FOREIGN TABLE rates (i int) SERVER disk OPTIONS (filename '${file}');
       CREATE MATERIALIZED VIEW of_file AS SELECT i FROM rates;
       CREATE FUNCTION ask() RETURNS SETOF int LANGUAGE sql AS $$SELECT i FROM dblink('host=${server.socketDir} port=${server.port} dbname=far', 'SELECT i FROM remote') AS d (i int)$$;
       CREATE MATERIALIZED VIEW asked AS SELECT ask();
       CREATE TABLE own AS SELECT 1 AS i; CREATE MATERIALIZED VIEW near AS SELECT i FROM own;`,
      'shop',
    );
    const contents = await contentsOf(await source().capture(run));
    const told = contents.captured.problems.map(({ code, message }) => `${code} ${message.split(':')[0]}`);
    const from = (view: string, table: string) =>
      `view-filled-from-afar public.${view} is filled from the foreign table public.${table}`;
    expect(told).toEqual([from('afar', 'part'), from('again', 'part'), from('of_file', 'rates')]);
    expect(contents.facts.leftOut).toMatchObject([{ rule: 'foreign tables', by: 'always', tables: 2 }]);

    await server.query('DROP DATABASE far WITH (FORCE)');
    await rm(file);
    const into = { ...everywhere, into: server.urlOf('back') };
    const { problems, notCompared } = await source().restore(contents, into, run);
    expect(problems.map(({ code }) => code)).toEqual([...Array(4).fill('view-not-filled'), 'not-analyzed']);
    expect(problems.at(-1)?.message).toMatch(/\(public\.parts: [^;]*\)/);
    expect(await server.query("SELECT reltuples::int FROM pg_class WHERE relname = 'own'", 'back')).toEqual([
      { reltuples: 1 },
    ]);
    expect(problems.map(({ message }) => message).join()).toMatch(/REFRESH MATERIALIZED VIEW "public"\."afar";/);
    for (const view of ['afar', 'again', 'of_file', 'asked'])
      expect(await server.query(`${filled} = '${view}'`, 'back'), view).toEqual([{ found: false }]);
    expect(await server.query(`${filled} = 'near'`, 'back')).toEqual([{ found: true }]);

    const { actual } = await source().measure(into.into, contents.expectations!, run, contents);
    expect(checkExpectations(contents.expectations, actual, contents.facts, notCompared)).toMatchObject({
      verdict: 'pass',
      message: expect.stringContaining('materialized view public.afar (filled from another server'),
    });
  });

  test('but one that divides by zero is lost, and named', async () => {
    await server.script(
      `CREATE TABLE d (i int); INSERT INTO d VALUES (1); CREATE MATERIALIZED VIEW v AS SELECT 1 / i AS i FROM d;
       UPDATE d SET i = 0`,
      'shop',
    );
    const { problems, finding } = await roundTrip();
    expect(problems).toMatchObject([{ code: 'object-not-made-again' }]);
    expect(finding.verdict).toBe('fail');
  });
});

describe('pg-03: rows of several tables replace those in place, whatever order their keys want', () => {
  test.each([
    [
      'a child that sorts before its parent',
      `CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE invoices (id int PRIMARY KEY, u int NOT NULL REFERENCES users);
       INSERT INTO users VALUES (1), (2); INSERT INTO invoices VALUES (1, 1);`,
      ['users', 'invoices'],
    ],
    [
      'tables that refer to each other, and to themselves',
      `CREATE TABLE a (id int PRIMARY KEY, b int, up int REFERENCES a); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
       ALTER TABLE a ADD CONSTRAINT "a's b" FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
       COMMENT ON CONSTRAINT "a's b" ON a IS 'it''s a circle';
       BEGIN; INSERT INTO a VALUES (2, 1, 2); INSERT INTO b VALUES (1, 2); COMMIT;`,
      ['a', 'b'],
    ],
    [
      'partitioned tables on both sides',
      `CREATE TABLE users (id int PRIMARY KEY) PARTITION BY HASH (id);
       CREATE TABLE users_0 PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 0);
       CREATE TABLE users_1 PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER 1);
       CREATE TABLE events (at int, u int REFERENCES users) PARTITION BY RANGE (at);
       CREATE TABLE events_a PARTITION OF events FOR VALUES FROM (0) TO (10);
       CREATE TABLE events_b PARTITION OF events DEFAULT;
       INSERT INTO users SELECT generate_series(1, 9); INSERT INTO events SELECT g, g % 9 + 1 FROM generate_series(1, 20) g;`,
      ['users', 'events'],
    ],
    [
      'with a key that waits for the end, to a table that stays',
      `CREATE TABLE stays (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, s int REFERENCES stays DEFERRABLE INITIALLY DEFERRED);
       CREATE TABLE w (x int REFERENCES x); INSERT INTO stays VALUES (1); INSERT INTO x VALUES (1, 1); INSERT INTO w VALUES (1);`,
      ['x', 'w'],
    ],
  ])('%s', async (_what, sql, only) => {
    await server.script(sql, 'shop');
    const truth = async () => {
      const rows = await Promise.all(only.map((table) => server.query(`SELECT * FROM ${table} ORDER BY 1`, 'shop')));
      const keys = `SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint')
        FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2`;
      return [rows, await server.query(keys, 'shop')];
    };
    const was = await truth();
    const contents = await contentsOf(await source().capture(run));
    await server.script(
      `SET session_replication_role = replica; ${only.map((table) => `DELETE FROM ${table}`).join(';')}`,
      'shop',
    );
    await source().restore(contents, { force: true, only, trustCode: true }, run);
    expect(await truth()).toEqual(was);
  });
});

test('pg-15: tables and sequences are found in a database of another encoding', async () => {
  await server.query('DROP DATABASE shop');
  await server.createDatabase('shop', "ENCODING 'LATIN1' LOCALE 'C'");
  await server.script(`CREATE TABLE "größe" (id serial, n text); INSERT INTO "größe" (n) VALUES ('é'), ('ß')`, 'shop');
  const contents = await contentsOf(await source().capture(run));
  await server.script(`DELETE FROM "größe"; SELECT setval('"größe_id_seq"', 1)`, 'shop');
  await source().restore(contents, { force: true, only: ['größe'], trustCode: true }, run);
  expect(await server.query('SELECT n FROM "größe" ORDER BY id', 'shop')).toEqual([{ n: 'é' }, { n: 'ß' }]);
  expect(await server.query(`SELECT nextval('"größe_id_seq"')::int AS next`, 'shop')).toEqual([{ next: 3 }]);
});

test('pg-07: triggers that forbid definitions, a database that is read-only, and an index that not all partitions have raise no alarm', async () => {
  await server.script(
    `CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1);
     CREATE TABLE p (i int) PARTITION BY LIST (i); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX ON ONLY p (i);
     CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'DDL only through migrations'; END $$;
     CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no_ddl();`,
    'shop',
  );
  await server.query('ALTER DATABASE shop SET default_transaction_read_only = on');
  const { problems, measured, finding } = await roundTrip();
  expect(problems).toEqual([]);
  expect(finding.verdict).toBe('pass');
  expect(measured.integrity.filter(({ ok }) => !ok)).toEqual([]);
  expect(measured.integrity.map(({ name }) => name)).toContain('amcheck: indexes');
});

test('pg-15: settings and labels that the server does not know are left out, and named', async () => {
  await server.script(
    `CREATE TABLE t (a int); SET allow_system_table_mods = on;
     INSERT INTO pg_seclabel VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'vault', 'secret');`,
    'shop',
  );
  const adapter = source();
  const contents = await contentsOf(await adapter.capture(run));
  const gone = { role: '', name: 'force_parallel_mode_of_old', value: 'off' };
  const facts = { ...contents.facts, settings: [gone] };
  const into = server.urlOf('back');
  const { problems } = await adapter.restore({ ...contents, facts }, { ...everywhere, into }, run);
  expect(problems).toEqual([
    { code: 'setting-left-out', message: expect.stringContaining('the database had force_parallel_mode_of_old = off') },
    {
      code: 'security-label-left-out',
      message: expect.stringMatching(/SECURITY LABEL public\.TABLE t was left out: .*provider/),
    },
  ]);
});

test('pg-restore-rights: a role that may back up and not restore is told while there is time', async () => {
  await server.script('CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader', 'shop');
  const told = async (url: string) => {
    const { problems } = await postgresSource({ name: 'db', url, exclude: [] }).inspect(run);
    return problems.map(({ code }) => code);
  };
  expect(await told(server.urlOf('shop', 'reader'))).toEqual(['restore-needs-more-rights']);
  expect(await told(server.urlOf('shop'))).toEqual([]);
  const { problems } = await postgresSource({
    name: 'db',
    url: `${server.urlOf('shop')}&pgbouncer=true`,
    exclude: [],
  }).inspect(run);
  expect(problems).toEqual([{ code: 'url-settings-ignored', message: expect.stringContaining('pgbouncer is for') }]);
});
