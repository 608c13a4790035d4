import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { LifeboatError } from '../../src/core/errors.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import type { Contents } from '../../src/sources/source.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let server: Postgres;
let contents: Contents;
const run = startRun({ clock: systemClock });
const everywhere = { force: false, only: [] };
const bySocket = () => postgresSource({ name: 'db', url: server.urlOf('shop', 'shop_app'), exclude: [] });
const byTcp = () => postgresSource({ name: 'db', url: server.tcpUrlOf('shop', 'shop_app', 'a key'), exclude: [] });

beforeAll(async () => {
  server = await startPostgres({ tcp: true });
});
afterAll(() => server?.stop());
/** A backup, and the server as a new one is. */
beforeEach(async () => {
  const forget = 'DROP DATABASE IF EXISTS shop; DROP ROLE IF EXISTS shop_app, shop_owner, shop_reader';
  await server.script(`${forget}; CREATE ROLE shop_app LOGIN PASSWORD 'a key'; CREATE ROLE shop_owner;
    CREATE ROLE shop_reader LOGIN; GRANT shop_owner TO shop_app; CREATE DATABASE shop OWNER shop_app`);
  await server.script(
    `CREATE EXTENSION citext;
     CREATE TABLE orders (id int PRIMARY KEY, name citext); INSERT INTO orders SELECT g, 'n' || g FROM generate_series(1, 100) g;
     ALTER TABLE orders OWNER TO shop_owner; GRANT SELECT ON orders TO shop_app, shop_reader`,
    'shop',
  );
  contents = await contentsOf(await byTcp().capture(run));
  await server.script(forget);
});

const roles = async () => {
  const found = await server.query<{ name: string }>(
    "SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1",
  );
  return found.map(({ name }) => name);
};
const owners = () =>
  server.query(
    `SELECT relname AS name, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname = 'orders'
     UNION SELECT extname, pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'citext' ORDER BY 1`,
    'shop',
  );

test.skipIf(process.getuid?.() !== 0)(
  'pg-restore-rights: onto a new server root needs nobody: the roles come back, the application logs in, no superuser stays',
  async () => {
    const { problems, where } = await bySocket().restore(contents, everywhere, run);
    expect(problems).toEqual([]);
    expect(where).toContain('shop_app');
    expect(await roles()).toEqual(['postgres', 'shop_app', 'shop_owner', 'shop_reader']);
    expect(await owners()).toEqual([
      { name: 'citext', owner: 'postgres' },
      { name: 'orders', owner: 'shop_owner' },
    ]);
    const [none] = await server.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'shop_app'");
    expect(none).toEqual({ rolpassword: null });
    await server.script('DROP DATABASE shop; DROP ROLE shop_app');
    // Its socket lies where none is looked for: as on another host.
    const beside = postgresSource({
      name: 'db',
      url: `${server.urlOf('shop', 'shop_app')}&password=a%20key`,
      exclude: [],
    });
    await beside.restore(contents, everywhere, run);
    expect((await byTcp().inspect(run)).sizeBytes).toBeGreaterThan(0);
  },
);

test.skipIf(process.getuid?.() !== 0)('what fails onto a new server leaves it as it was', async () => {
  const cut: Contents = {
    ...contents,
    async *read(path) {
      for await (const bytes of contents.read(path))
        yield path === 'dump.pgdump' ? bytes.subarray(0, bytes.length / 2) : bytes;
    },
  };
  await expect(bySocket().restore(cut, everywhere, run)).rejects.toThrow();
  expect(await roles()).toEqual(['postgres']);
  expect(await server.query("SELECT datname FROM pg_database WHERE datname ~ 'shop'")).toEqual([]);
});

test('pg-restore-rights: from afar each refusal names the SQL that mends it, and with that all is as it was', async () => {
  const refusals: string[] = [];
  let problems: unknown;
  while (problems === undefined && refusals.length < 5) {
    const tried = await byTcp()
      .restore(contents, everywhere, run)
      .catch((error: LifeboatError) => error);
    if (!(tried instanceof Error)) {
      ({ problems } = tried);
      continue;
    }
    expect(tried.code).toBe('postgres-restore-rights-missing');
    expect(await server.query("SELECT datname FROM pg_database WHERE datname ~ 'shop'")).toEqual([]);
    const sql = /(?:CREATE|ALTER) ROLE [^;]+;/.exec(tried.hint)![0].replace('…', 'a key');
    await server.script(refusals.length === 0 ? sql.replace('CREATEDB CREATEROLE', '') : sql);
    refusals.push(tried.message);
  }
  // Though the new owner may not create things where it lies.
  expect(problems).toEqual([]);
  const mayCreate = "SELECT has_schema_privilege('shop_owner', 'public', 'CREATE') AS may";
  expect(await server.query(mayCreate, 'shop')).toEqual([{ may: false }]);
  const rights = "SELECT unnest(relacl)::text AS one FROM pg_class WHERE relname = 'orders' ORDER BY 1";
  expect((await server.query(rights, 'shop')).map(({ one }) => one)).toEqual([
    'shop_app=r/shop_owner',
    'shop_owner=arwdDxt/shop_owner',
    'shop_reader=r/shop_owner',
  ]);
  const members = "SELECT pg_has_role('shop_app', 'shop_owner', 'MEMBER') AS is";
  expect(await server.query(members)).toEqual([{ is: true }]);
  // Whoever makes the role without its rights is told of all that lacks at once.
  expect(refusals).toEqual([
    expect.stringMatching(/^shop_app may not log in to restore: .*password authentication failed/),
    'shop_app may not create databases, nor create the roles that the backup needs (shop_owner, shop_reader).',
  ]);
  expect(await owners()).toEqual([
    { name: 'citext', owner: 'shop_app' },
    { name: 'orders', owner: 'shop_owner' },
  ]);
});

test('pg-restore-rights: whose role one may not take is named with the SQL that lets one, and the SQL that check prints suffices', async () => {
  await server.script(
    `CREATE ROLE shop_app LOGIN CREATEDB PASSWORD 'a key'; CREATE ROLE shop_owner; CREATE ROLE shop_reader`,
  );
  const { problems } = await byTcp().restore(contents, everywhere, run);
  expect(problems.map(({ code }) => code)).toEqual(['owner-not-given']);
  expect(problems[0]!.message).toMatch(
    /^TABLE public\.orders is back and belongs to shop_app, not to shop_owner: must be /,
  );
  await server.script(/as a superuser: (GRANT .*;)/.exec(problems[0]!.message)![1]!);
  expect((await byTcp().restore(contents, { ...everywhere, force: true }, run)).problems).toEqual([]);
  expect((await owners())[1]).toEqual({ name: 'orders', owner: 'shop_owner' });

  await server.script('ALTER ROLE shop_app NOCREATEDB; REVOKE shop_owner FROM shop_app');
  const [lacking] = (await byTcp().inspect(run)).problems;
  expect(lacking?.code).toBe('restore-needs-more-rights');
  await server.script(lacking!.message.split('as a superuser now: ')[1]!);
  expect((await byTcp().inspect(run)).problems).toEqual([]);
  const into = server.tcpUrlOf('again', 'shop_app', 'a key');
  expect((await byTcp().restore(contents, { ...everywhere, into }, run)).problems).toEqual([]);
  await server.script('DROP DATABASE again');
});

test.skipIf(process.getuid?.() !== 0)('whoever is interrupted takes the superuser away', async () => {
  const masters = async () => (await roles()).filter((name) => name.startsWith('lifeboat_master_'));
  for (let round = 0; round < 4; round++) {
    const stop = new AbortController();
    const restoring = bySocket().restore(contents, everywhere, startRun({ clock: systemClock, signal: stop.signal }));
    const ended = restoring.catch(() => {});
    await until(async () => (await masters()).length > 0);
    stop.abort(new Error('stopped'));
    await ended;
    expect(await masters()).toEqual([]);
    await server.script('DROP DATABASE IF EXISTS shop WITH (FORCE)');
  }
});
