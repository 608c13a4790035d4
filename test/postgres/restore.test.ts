import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { LifeboatError } from '../../src/core/errors.ts';
import { startRun } from '../../src/core/run.ts';
import { databaseFacts } from '../../src/sources/postgres/facts.ts';
import { openDump } from '../../src/sources/postgres/load.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import type { Contents, RestoreTarget } from '../../src/sources/source.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let server: Postgres;
let contents: Contents;
const run = startRun({ clock: systemClock });
const all: RestoreTarget = { force: false, only: [] };
const adapter = () => postgresSource({ name: 'db', url: server.urlOf('harbor'), exclude: [] });

beforeAll(async () => {
  server = await startPostgres();
  await server.script(`CREATE ROLE "App" LOGIN; CREATE DATABASE harbor TEMPLATE template0 OWNER "App";`);
  await server.script(
    `CREATE TABLE customer (id int PRIMARY KEY, name text);
     CREATE TABLE invoice (id serial PRIMARY KEY, customer int REFERENCES customer, amount numeric);
     CREATE INDEX ON invoice (amount);
     CREATE TABLE part (id int, region text) PARTITION BY LIST (region);
     CREATE TABLE part_eu PARTITION OF part FOR VALUES IN ('eu');
     CREATE TABLE part_us PARTITION OF part FOR VALUES IN ('us');
     INSERT INTO customer SELECT g, 'c' || g FROM generate_series(1, 100) g;
     INSERT INTO invoice (customer, amount) SELECT 1 + g % 100, g FROM generate_series(1, 20000) g;
     INSERT INTO part SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 100) g;
     CREATE TABLE audit (line text);
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES ('touched'); RETURN NEW; END $$;
     CREATE TRIGGER note BEFORE INSERT ON invoice FOR EACH ROW EXECUTE FUNCTION note();
     CREATE TRIGGER sleeping BEFORE INSERT ON invoice FOR EACH ROW EXECUTE FUNCTION note();
     ALTER TABLE invoice DISABLE TRIGGER sleeping;`,
    'harbor',
  );
});
afterAll(() => server?.stop());
beforeEach(async () => {
  contents = await contentsOf(await adapter().capture(run));
});

const names = async () =>
  (await server.query<{ name: string }>('SELECT datname AS name FROM pg_database ORDER BY 1')).map(({ name }) => name);
const count = async (table: string, database: string) =>
  (await server.query<{ count: number }>(`SELECT count(*)::int FROM ${table}`, database))[0]?.count;

/** The contents with another dump: what a damaged copy would hand out. */
function withDump(change: (stream: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>): Contents {
  return { ...contents, read: (path) => (path === 'dump.pgdump' ? change(contents.read(path)) : contents.read(path)) };
}

async function* first(stream: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let left = sizeBytes;
  for await (const bytes of stream) {
    yield bytes.subarray(0, left);
    left -= bytes.length;
    if (left <= 0) return;
  }
}

describe('a restore', () => {
  test('refuses a database that holds something, and leaves nothing behind', async () => {
    const before = await names();
    const error = await adapter()
      .restore(contents, all, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'target-not-empty' });
    expect(await names()).toEqual(before);
  });

  test('fills a database that exists and is empty', async () => {
    await server.createDatabase('waiting');
    await adapter().restore(contents, { ...all, into: server.urlOf('waiting') }, run);
    expect(await count('invoice', 'waiting')).toBe(20_000);
  });

  test('takes a name that needs quotes', async () => {
    const name = `it's "odd" = % \\ ${'ü'.repeat(30)}`.slice(0, 40);
    const restored = await adapter().restore(contents, { ...all, into: server.urlOf(name) }, run);
    expect(restored.where).toContain(encodeURIComponent(name));
    expect(restored.bytes).toBeGreaterThan(100_000);
    expect(await count('invoice', name)).toBe(20_000);
  });

  test('with force replaces the database in place, while clients are connected', async () => {
    await server.query('DELETE FROM invoice', 'harbor');
    const client = new pg.Client({ connectionString: server.urlOf('harbor') });
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN; SELECT * FROM customer');
    const before = await names();
    const restored = await adapter().restore(contents, { ...all, force: true }, run);
    expect(restored.problems).toEqual([]);
    expect(await count('invoice', 'harbor')).toBe(20_000);
    expect(await names()).toEqual(before);
    const [owner] = await server.query(
      "SELECT pg_get_userbyid(datdba) AS owner, datallowconn FROM pg_database WHERE datname = 'harbor'",
    );
    expect(owner).toEqual({ owner: 'App', datallowconn: true });
    await expect(client.query('SELECT 1')).rejects.toThrow();
    await client.end().catch(() => {});
  });

  test.each([
    ['in its table of contents', 2000],
    ['in its rows', 200_000],
  ])('a dump that ends %s leaves the target as it was', async (_where, sizeBytes) => {
    const before = await names();
    const broken = withDump((stream) => first(stream, sizeBytes));
    const error = await adapter()
      .restore(broken, { ...all, force: true }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-dump-broken' });
    expect(await names()).toEqual(before);
    expect(await count('invoice', 'harbor')).toBe(20_000);
  });

  test('damage that a program no longer waits for is still seen at the end', async () => {
    const gate = Promise.withResolvers<never>();
    let atGate = false;
    const broken = withDump(async function* (stream) {
      yield* stream;
      atGate = true;
      await gate.promise;
    });
    await using dump = await openDump({ contents: broken, facts: databaseFacts.parse(contents.facts), run });
    const fed = (async () => {
      for await (const bytes of dump.stream()) expect(bytes.length).toBeGreaterThan(0);
    })();
    const read = fed.catch((error: Error) => error.message);
    await until(() => atGate);
    const finished = dump.finish().catch((error: Error) => error.message);
    gate.reject(new Error('the digest differs'));
    expect(await Promise.all([read, finished])).toEqual(['the digest differs', 'the digest differs']);
  });

  test('a digest that differs at the very last byte leaves the target as it was', async () => {
    const before = await names();
    const broken = withDump(async function* (stream) {
      yield* stream;
      throw new Error('the digest differs');
    });
    const error = await adapter()
      .restore(broken, { ...all, force: true }, run)
      .catch((error: Error) => error);
    expect((error as Error).message).toContain('the digest differs');
    expect(await names()).toEqual(before);
    expect(await count('invoice', 'harbor')).toBe(20_000);
  });

  test('an interrupt leaves the target as it was', async () => {
    const before = await names();
    const stop = new AbortController();
    const stopping = startRun({ clock: systemClock, signal: stop.signal });
    const slow = withDump(async function* (stream) {
      for await (const bytes of stream) {
        stop.abort(new Error('interrupted'));
        yield bytes;
      }
    });
    await expect(adapter().restore(slow, { ...all, force: true }, stopping)).rejects.toThrow('interrupted');
    expect(await names()).toEqual(before);
  });

  test('an extension that the target lacks is named before anything is made', async () => {
    const before = await names();
    const facts = { ...contents.facts, extensions: [{ name: 'postgis', version: '3.4', schema: 'public' }] };
    const error = await adapter()
      .restore({ ...contents, facts }, { ...all, into: server.urlOf('maps') }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-extension-missing' });
    expect((error as LifeboatError).hint).toMatch(/postgresql-\d+-postgis-3/);
    expect(await names()).toEqual(before);
  });

  test('a locale that the target lacks is named, with how to get it', async () => {
    const facts = { ...contents.facts, collate: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8' };
    const error = await adapter()
      .restore({ ...contents, facts }, { ...all, into: server.urlOf('abroad') }, run)
      .catch((error: LifeboatError) => error);
    expect(error).toMatchObject({ code: 'postgres-locale-missing', hint: expect.stringContaining('locale-gen') });
  });

  test('what a killed restore left is named', async () => {
    await server.createDatabase('later__lifeboat_killed');
    const restored = await adapter().restore(contents, { ...all, into: server.urlOf('later') }, run);
    expect(restored.problems).toEqual([expect.objectContaining({ code: 'restore-left-over' })]);
    await server.query('DROP DATABASE later__lifeboat_killed');
  });

  test('makes missing roles, and when it fails takes them away again; roles that exist are never changed', async () => {
    const other = await startPostgres();
    try {
      const broken = withDump((stream) => first(stream, 200_000));
      const into = other.urlOf('harbor');
      await expect(adapter().restore(broken, { ...all, into }, run)).rejects.toThrow();
      expect(await other.query("SELECT FROM pg_roles WHERE rolname = 'App'")).toEqual([]);
      await other.query('CREATE ROLE "App" NOLOGIN CREATEDB');
      await adapter().restore(contents, { ...all, into }, run);
      const kept = await other.query("SELECT rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname = 'App'");
      expect(kept).toEqual([{ rolcanlogin: false, rolcreatedb: true }]);
    } finally {
      await other.stop();
    }
  });
});

describe('V9: the measurement of a restored copy tells', () => {
  test.each([
    ['a value that changed', "UPDATE customer SET name = 'C7' WHERE id = 7", 'public.customer'],
    [
      'two values that swapped',
      'UPDATE invoice SET customer = amount::int, amount = customer WHERE id = 50 AND amount <= 100',
      'public.invoice',
    ],
    ['a row that is gone', 'DELETE FROM audit; DELETE FROM part WHERE id = 7', 'public.part_us'],
    ['a row that came', "INSERT INTO part VALUES (7, 'eu')", 'public.part_eu'],
    ['a sequence that went back', "SELECT setval('invoice_id_seq', 5)", 'sequence public.invoice_id_seq'],
    ['an index that is gone', 'DROP INDEX invoice_amount_idx', 'schema: INDEX'],
    ['a trigger that is gone', 'DROP TRIGGER sleeping ON invoice', 'schema: TRIGGER'],
    ['another owner', 'ALTER TABLE audit OWNER TO "App"', 'schema: TABLE'],
    ['a large object too many', "SELECT lo_from_bytea(0, 'x')", 'large objects'],
  ])('%s', async (_what, damage, where) => {
    const into = server.urlOf('copy');
    await server.query('DROP DATABASE IF EXISTS copy');
    await adapter().restore(contents, { ...all, into }, run);
    await server.query(damage, 'copy');
    const { actual } = await adapter().measure(into, contents.expectations!, run);
    const expected = new Map(contents.expectations?.tables.map((table) => [table.table, table]));
    const differing = actual.tables.filter(
      (table) => JSON.stringify(expected.get(table.table)) !== JSON.stringify(table),
    );
    expect(differing.map(({ table }) => table)).toContain(where);
  });
});

describe('T6: chosen tables', () => {
  test('come in a database of their own, beside', async () => {
    const restored = await adapter().restore(contents, { force: false, only: ['invoice', 'public.part'] }, run);
    const database = /\/(harbor__tables_\w+)\?/.exec(restored.where)?.[1] ?? '';
    expect(await count('invoice', database)).toBe(20_000);
    expect(await count('part', database)).toBe(100);
    expect(await count('customer', database)).toBe(0);
    // Its foreign key points to rows that are not there.
    expect(await server.query("SELECT conname FROM pg_constraint WHERE contype = 'f'", database)).toEqual([]);
    await server.query(`DROP DATABASE ${database}`);
  });

  test('keep foreign keys among each other', async () => {
    const into = server.urlOf('both');
    await adapter().restore(contents, { into, force: false, only: ['invoice', 'customer'] }, run);
    expect(await server.query("SELECT count(*)::int FROM pg_constraint WHERE contype = 'f'", 'both')).toEqual([
      { count: 1 },
    ]);
  });

  test('with force replace the rows there, in one transaction, triggers resting', async () => {
    await server.query('UPDATE invoice SET amount = 0; DELETE FROM invoice WHERE id > 10', 'harbor');
    await server.query("SELECT setval('invoice_id_seq', 30000)", 'harbor');
    const audited = await count('audit', 'harbor');
    await adapter().restore(contents, { force: true, trustCode: true, only: ['public.invoice'] }, run);
    expect(await server.query('SELECT count(*)::int, sum(amount)::int FROM invoice', 'harbor')).toEqual([
      { count: 20_000, sum: 200_010_000 },
    ]);
    expect(await count('audit', 'harbor')).toBe(audited);
    expect(await server.query('SELECT last_value::int FROM invoice_id_seq', 'harbor')).toEqual([
      { last_value: 30_000 },
    ]);
    expect(
      await server.query('SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1', 'harbor'),
    ).toEqual([
      { tgname: 'note', tgenabled: 'O' },
      { tgname: 'sleeping', tgenabled: 'D' },
    ]);
  });

  test('with force are left alone when others refer to them, when rows do not fit, and when the dump is broken', async () => {
    const only = ['customer'];
    const referred = await adapter()
      .restore(contents, { force: true, trustCode: true, only }, run)
      .catch((error: LifeboatError) => error);
    expect(referred).toMatchObject({ code: 'postgres-tables-referred' });
    const broken = withDump(async function* (stream) {
      yield* stream;
      throw new Error('the digest differs');
    });
    await server.query('DELETE FROM part WHERE id < 50', 'harbor');
    await expect(adapter().restore(broken, { force: true, trustCode: true, only: ['part'] }, run)).rejects.toThrow(
      'the digest differs',
    );
    expect(await count('part', 'harbor')).toBe(51);
    // Its rows come first in the dump, long before the damage.
    await server.query("INSERT INTO audit SELECT 'new' FROM generate_series(1, 77)", 'harbor');
    const audited = await count('audit', 'harbor');
    await expect(adapter().restore(broken, { force: true, trustCode: true, only: ['audit'] }, run)).rejects.toThrow(
      'the digest differs',
    );
    expect(await count('audit', 'harbor')).toBe(audited);
    await server.query('ALTER TABLE part ADD CHECK (id >= 50)', 'harbor');
    await expect(adapter().restore(contents, { force: true, trustCode: true, only: ['part'] }, run)).rejects.toThrow(
      'violates check',
    );
    expect(await count('part', 'harbor')).toBe(51);
    const unknown = await adapter()
      .restore(contents, { force: true, trustCode: true, only: ['ghost'] }, run)
      .catch((error: LifeboatError) => error);
    expect(unknown).toMatchObject({ code: 'postgres-table-unknown' });
  });
});
