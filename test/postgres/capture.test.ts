import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LifeboatError } from '../../src/core/errors.ts';
import { startRun } from '../../src/core/run.ts';
import { type PostgresOptions, postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

/** It may have ended since it was listed. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

let server: Postgres;
const run = startRun({ clock: systemClock });

beforeAll(async () => {
  server = await startPostgres({ tcp: true });
  await server.script(`
    CREATE ROLE app LOGIN PASSWORD 'p@ss:/w%rd';
    CREATE ROLE nobody_special LOGIN PASSWORD 'x';
    CREATE DATABASE harbor TEMPLATE template0 OWNER app;`);
  await server.script(
    `CREATE TABLE invoice (id int PRIMARY KEY, amount numeric); INSERT INTO invoice SELECT g, g FROM generate_series(1, 5000) g;
     CREATE TABLE log (at timestamptz, line text); INSERT INTO log SELECT now(), repeat('x', 200) FROM generate_series(1, 20000);
     CREATE SEQUENCE number; GRANT SELECT ON invoice, log TO app; GRANT SELECT ON SEQUENCE number TO app;`,
    'harbor',
  );
});
afterAll(() => server?.stop());

function source(url: string, options: Partial<PostgresOptions> = {}) {
  return postgresSource({ name: 'db', url, exclude: [], ...options });
}

async function failure(promise: Promise<unknown>): Promise<LifeboatError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(LifeboatError);
  return error as LifeboatError;
}

async function ourChildren(program: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (stat.includes(`(${program})`) && stat.split(') ')[1]?.split(' ')[1] === String(process.pid))
      found.push(Number(name));
  }
  return found;
}

describe('a look before the backup', () => {
  test('a password that needs escapes works over TCP, and stays out of what people see', async () => {
    const adapter = source(server.tcpUrlOf('harbor', 'app', 'p@ss:/w%rd'));
    const inspection = await adapter.inspect(run);
    expect(inspection.versions).toMatchObject({ server: expect.stringMatching(/^\d+\.\d+$/) });
    expect(inspection.sizeBytes).toBeGreaterThan(1_000_000);
    expect(adapter.location).toBe(`postgres://app@127.0.0.1:${server.port}/harbor`);
  });

  test.each([
    ['postgres-password-wrong', () => server.tcpUrlOf('harbor', 'app', 'not it')],
    ['postgres-password-wrong', () => server.tcpUrlOf('harbor', 'app')],
    ['postgres-database-missing', () => server.urlOf('habor')],
    ['postgres-role-missing', () => server.urlOf('harbor', 'ghost')],
    ['postgres-unreachable', () => 'postgres://app:topsecret@127.0.0.1:1/harbor'],
    ['postgres-unreachable', () => 'postgres://app:topsecret@nowhere.invalid/harbor'],
    ['postgres-unreachable', () => `postgres:///harbor?host=${server.socketDir}/none`],
  ])('names what is wrong: %s', async (code, url) => {
    const error = await failure(source(url()).inspect(run));
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.hint}`).not.toMatch(/not it|topsecret/);
  });

  test.each([
    'mysql://app@host/db',
    'host=localhost',
    'postgres://a@b/c?sslmode=maybe',
    'postgres://a@b/c?frobnicate=1',
  ])('refuses the URL %s', (url) => {
    expect(() => source(url)).toThrow(expect.objectContaining({ code: 'postgres-url-wrong' }));
  });

  test('P1: missing rights are found before the dump, each thing named, with the grant that mends it', async () => {
    const adapter = source(server.tcpUrlOf('harbor', 'nobody_special', 'x'));
    const error = await failure(adapter.inspect(run));
    expect(error.code).toBe('postgres-rights-missing');
    expect(error.message).toContain('table public.invoice, table public.log');
    expect(error.message).toContain('sequence public.number');
    await server.query(error.hint.replace(/^As a superuser: /, ''), 'harbor');
    await adapter.inspect(run);
    await contentsOf(await adapter.capture(run));
  });

  test('P1: row security and large objects that hide from the role are found too', async () => {
    await server.createDatabase('hidden');
    await server.script(
      `CREATE TABLE tenant (id int); ALTER TABLE tenant ENABLE ROW LEVEL SECURITY; GRANT SELECT ON tenant TO app;
       SELECT lo_from_bytea(4711, 'secret');`,
      'hidden',
    );
    const adapter = source(server.urlOf('hidden', 'app'));
    const rows = await failure(adapter.inspect(run));
    expect(rows.message).toContain('row security hides rows of public.tenant');
    await server.query(rows.hint.replace(/^As a superuser: /, ''), 'hidden');
    const objects = await failure(adapter.inspect(run));
    expect(objects.message).toContain('large objects 4711');
    await server.query(objects.hint.replace(/^As a superuser: /, ''), 'hidden');
    await adapter.inspect(run);
    await contentsOf(await adapter.capture(run));
  });

  test('B27: a client older than the server is refused, and both versions named', async () => {
    const folder = await temporaryFolder();
    for (const tool of ['pg_dump', 'pg_restore']) {
      await writeFile(join(folder, tool), `#!/bin/sh\necho "${tool} (PostgreSQL) 9.6.24"\n`);
      await chmod(join(folder, tool), 0o755);
    }
    const path = process.env.PATH;
    process.env.PATH = folder;
    try {
      const error = await failure(source(server.urlOf('harbor'), { clients: { folders: [folder] } }).inspect(run));
      expect(error.code).toBe('postgres-client-too-old');
      expect(error.message).toMatch(/pg_dump is 9\.6\.24, but the server is \d+\.\d+/);
      expect(error.hint).toMatch(/postgresql-client-\d+/);
      process.env.PATH = join(folder, 'empty');
      const missing = await failure(
        source(server.urlOf('harbor'), { clients: { folders: [join(folder, 'empty')] } }).inspect(run),
      );
      expect(missing.code).toBe('tool-missing');
      expect(missing.hint).toMatch(/postgresql-client-\d+/);
    } finally {
      process.env.PATH = path;
    }
  });
});

describe('a capture', () => {
  test('V3: expectations are of the very moment of the dump, also while others write', async () => {
    await server.createDatabase('busy');
    await server.script(
      `CREATE TABLE tick (id bigserial PRIMARY KEY, n int); CREATE TABLE tock (id bigint, n int);
       INSERT INTO tick (n) SELECT g FROM generate_series(1, 50000) g; INSERT INTO tock SELECT id, n FROM tick;`,
      'busy',
    );
    const writer = new pg.Client({ connectionString: server.urlOf('busy') });
    await writer.connect();
    let writing = true;
    let commits = 0;
    const written = (async () => {
      for (let n = 0; writing; n++, commits++) {
        await writer.query(`BEGIN; INSERT INTO tick (n) VALUES (${n}); INSERT INTO tock VALUES (${n}, ${n});
          UPDATE tick SET n = n + 1 WHERE id = ${1 + (n % 40_000)}; DELETE FROM tock WHERE id = ${1 + (n % 40_000)}; COMMIT`);
      }
    })();
    await until(() => commits > 5);
    const adapter = source(server.urlOf('busy'));
    const contents = await contentsOf(await adapter.capture(run));
    const during = commits;
    await until(() => commits > during + 5);
    writing = false;
    await written;
    await writer.end();
    await adapter.restore(contents, { into: server.urlOf('busy_again'), force: false, only: [] }, run);
    const { actual } = await adapter.measure(server.urlOf('busy_again'), contents.expectations!, run);
    const tables = (of: typeof actual) => of.tables.filter(({ table }) => table.startsWith('public.'));
    expect(tables(actual)).toEqual(tables(contents.expectations!));
  });

  test.each([
    ['signal SIGKILL', async () => (await ourChildren('pg_dump')).forEach(killIfThere)],
    [
      'PQgetCopyData',
      () => server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'"),
    ],
  ])('fails when pg_dump is ended half-way (%s): half a dump is no dump', async (how, kill) => {
    const capture = await source(server.urlOf('harbor')).capture(run);
    await using _ = capture;
    const error = await failure(
      (async () => {
        for await (const entry of capture.entries) {
          if (entry.type !== 'file' || entry.content.from !== 'stream') continue;
          for await (const _ of entry.content.stream()) await kill();
        }
      })(),
    );
    expect(error.code).toBe('postgres-dump-failed');
    expect(error.message).toContain(how);
  });

  test('leaves no session and no process behind when it is given up', async () => {
    const capture = await source(server.urlOf('harbor')).capture(run);
    for await (const entry of capture.entries) {
      if (entry.type !== 'file' || entry.content.from !== 'stream') break;
      for await (const _ of entry.content.stream()) break;
      break;
    }
    await capture[Symbol.asyncDispose]();
    await until(async () => {
      const left = await server.query("SELECT FROM pg_stat_activity WHERE application_name IN ('lifeboat', 'pg_dump')");
      return left.length === 0;
    });
  });

  test('ends at once when it is interrupted while it waits for a lock, on the server too', async () => {
    const holder = new pg.Client({ connectionString: server.urlOf('harbor') });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE log IN ACCESS EXCLUSIVE MODE');
    const stop = new AbortController();
    const capturing = source(server.urlOf('harbor')).capture(startRun({ clock: systemClock, signal: stop.signal }));
    capturing.catch(() => {});
    const sessions = (where: string) =>
      server.query(`SELECT FROM pg_stat_activity WHERE application_name IN ('lifeboat', 'pg_dump') ${where}`);
    try {
      await until(async () => (await sessions("AND wait_event_type = 'Lock'")).length === 1);
      stop.abort(new Error('interrupted'));
      await expect(capturing).rejects.toThrow('interrupted');
    } finally {
      await until(async () => (await sessions('')).length === 0);
      await holder.end();
    }
  });

  test('V9: a dump that lacks rows which the server counted is refused', async () => {
    await server.createDatabase('cut');
    await server.script('CREATE TABLE a AS SELECT generate_series(1, 10); CREATE TABLE b AS SELECT 1;', 'cut');
    const folder = await temporaryFolder();
    const lying = join(folder, 'pg_dump');
    await writeFile(lying, `#!/bin/sh\nexec ${server.programs}/pg_dump "$@" --exclude-table-data=public.a\n`);
    await chmod(lying, 0o755);
    const adapter = source(server.urlOf('cut'), { clients: { folders: [folder, server.programs] } });
    const error = await failure((async () => contentsOf(await adapter.capture(run)))());
    expect(error.code).toBe('postgres-dump-incomplete');
    expect(error.message).toContain('public.a has 10 rows, the dump lacks it');
  });

  test('pg-01: an index on a function with unqualified names keeps nobody from it, and its rows are counted', async () => {
    await server.createDatabase('shops');
    await server.script(
      `CREATE EXTENSION earthdistance CASCADE; CREATE TABLE shops (id int, lat float8, lon float8);
       CREATE INDEX ON shops USING gist (ll_to_earth(lat, lon)); INSERT INTO shops VALUES (1, 48.2, 16.3), (2, 48, 16);`,
      'shops',
    );
    const contents = await contentsOf(await source(server.urlOf('shops')).capture(run));
    const expected = expect.objectContaining({ table: 'public.shops', rows: 2 });
    expect(contents.expectations?.tables).toContainEqual(expected);
  });

  test('P15: excluded tables keep their definition, lose their rows, and say why', async () => {
    const adapter = source(server.urlOf('harbor'), {
      exclude: [
        { table: 'log', reason: 'it can be made again' },
        { table: 'public.gone', reason: 'was there once' },
      ],
    });
    const contents = await contentsOf(await adapter.capture(run));
    expect(contents.captured.problems).toEqual([expect.objectContaining({ code: 'excluded-table-missing' })]);
    const expected = { table: 'public.log', rows: 0, reason: 'its rows are excluded: it can be made again' };
    expect(contents.expectations?.tables).toContainEqual(expected);
    await adapter.restore(contents, { into: server.urlOf('without_log'), force: false, only: [] }, run);
    expect(await server.query('SELECT count(*)::int FROM log', 'without_log')).toEqual([{ count: 0 }]);
    expect(await server.query('SELECT count(*)::int FROM invoice', 'without_log')).toEqual([{ count: 5000 }]);
  });

  test('counts alone, where checksums are not wanted', async () => {
    const adapter = source(server.urlOf('harbor'), { expectations: 'counts' });
    const contents = await contentsOf(await adapter.capture(run));
    const invoice = contents.expectations?.tables.find(({ table }) => table === 'public.invoice');
    expect(invoice).toEqual({ table: 'public.invoice', rows: 5000, reason: expect.any(String) });
  });

  test('B28: timeouts of the server do not end it, however slowly it is stored', async () => {
    await server.createDatabase('hasty');
    await server.script(
      `CREATE TABLE a AS SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g;
       ALTER DATABASE hasty SET statement_timeout = '300ms'; ALTER DATABASE hasty SET lock_timeout = '300ms';
       ALTER DATABASE hasty SET idle_in_transaction_session_timeout = '300ms';`,
      'hasty',
    );
    const capture = await source(server.urlOf('hasty')).capture(run);
    await using _ = capture;
    for await (const entry of capture.entries) {
      if (entry.type !== 'file' || entry.content.from !== 'stream') continue;
      let waited = false;
      for await (const _ of entry.content.stream()) {
        if (waited) continue;
        // Nobody takes the rows: the statement that sends them waits.
        await until(async () => {
          const old =
            "SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND now() - query_start > interval '600 ms'";
          return (await server.query(old)).length > 0;
        });
        waited = true;
      }
      expect(waited).toBe(true);
    }
    const { expectations } = await capture.finish();
    expect(expectations?.tables).toContainEqual(expect.objectContaining({ table: 'public.a', rows: 20_000 }));
  });

  test('an empty database, one in Latin-1, one with an ICU locale, and one without an encoding come back', async () => {
    await server.createDatabase('void');
    await server.createDatabase('latin', "ENCODING 'LATIN1' LOCALE 'C'");
    await server.createDatabase('german', "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'");
    await server.createDatabase('ascii', "ENCODING 'SQL_ASCII' LOCALE 'C'");
    await server.script(
      `CREATE TABLE "größe" (id int, "tür" text, note text); INSERT INTO "größe" VALUES (1, 'é', E'ß\\t\\\\');
       COMMENT ON TABLE "größe" IS 'naïve';`,
      'latin',
    );
    await server.script(`CREATE TABLE t (b text); INSERT INTO t VALUES (E'\\xff\\xfe');`, 'ascii');
    for (const name of ['void', 'latin', 'german', 'ascii']) {
      const adapter = source(server.urlOf(name));
      const contents = await contentsOf(await adapter.capture(run));
      await adapter.restore(contents, { into: server.urlOf(`${name}_again`), force: false, only: [] }, run);
      const { actual } = await adapter.measure(server.urlOf(`${name}_again`), contents.expectations!, run);
      expect(actual).toEqual(contents.expectations);
    }
    expect(await server.query('SELECT "tür" FROM "größe"', 'latin_again')).toEqual([{ tür: 'é' }]);
  });
});
