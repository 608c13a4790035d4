import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lifeboat } from '../cli/lifeboat.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';

const seconds = 600_000;
let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
  await server.query('CREATE ROLE clerk LOGIN');
});
afterAll(() => server.stop());

/** A shop's database, read by a role that owns nothing, backed up and proved. */
async function shop(name: string) {
  const folder = await temporaryFolder();
  await server.createDatabase(name);
  await server.script(
    `CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 300) n;
     CREATE TABLE invoices (id int PRIMARY KEY); INSERT INTO invoices SELECT n FROM generate_series(1, 100) n;
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk`,
    name,
  );
  const toldOf = async (database: string, ...args: string[]) => {
    const { code, stdout, stderr } = await lifeboat(folder, args, { SHOP_URL: server.urlOf(database, 'clerk') });
    return { code, text: stdout + stderr };
  };
  const told = (...args: string[]) => toldOf(name, ...args);
  await told('keys', 'new', 'other.txt');
  const recipient = /age1\w+/.exec((await told('keys', 'new', 'key.txt')).text)?.[0];
  const configure = (more = '') =>
    writeFileSync(
      join(folder, 'lifeboat.yaml'),
      `version: 1
system: shop
vault: { recipients: [${recipient}] }
destinations: { local: { type: local, path: ./backups } }
datasets: { shop: { type: postgres, url: '\${SHOP_URL}'${more} } }
`,
    );
  configure();
  const backup = await told('backup');
  expect(backup.code, backup.text).toBe(0);
  const drill = await told('drill', '--identity', 'key.txt');
  expect(drill.text).toContain('PROVED');
  return { told, toldOf, configure, sql: (text: string) => server.script(text, name) };
}

test(
  'M4: a table that a migration emptied is named by backup, status and drill',
  async () => {
    const { told, sql } = await shop('migrated');
    await sql('BEGIN; ALTER TABLE orders ADD COLUMN paid boolean; TRUNCATE orders; COMMIT');
    const backup = await told('backup');
    expect(backup.code, backup.text).toBe(1);
    expect(backup.text).toMatch(/shop: Most of its data is gone: \S*orders had 300 rows and has 0/);
    const status = await told('status');
    expect(status.code).toBe(1);
    expect(status.text).toMatch(/orders had 300 rows and has 0/);
    const drill = await told('drill', '--identity', 'key.txt');
    expect(drill.code, drill.text).toBe(1);
    expect(drill.text).toMatch(/✗ shop\/history: .*orders had 300 rows and has 0/);
  },
  seconds,
);

test(
  'M4: a table that was dropped is named, and one that was renamed is no loss',
  async () => {
    const { told, sql } = await shop('dropped');
    await sql('ALTER TABLE orders RENAME TO sales');
    const renamed = await told('backup');
    expect(renamed.code, renamed.text).toBe(0);
    await sql('DROP TABLE invoices');
    const backup = await told('backup');
    expect(backup.code, backup.text).toBe(1);
    expect(backup.text).toMatch(/invoices had 100 rows and has 0/);
    const drill = await told('drill', '--identity', 'key.txt');
    expect(drill.text).toMatch(/✗ shop\/history: .*invoices had 100 rows and has 0/);
  },
  seconds,
);

test(
  'M4: a role that row security shows nothing any more takes no empty backup',
  async () => {
    const { told, sql } = await shop('secured');
    await sql('ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON orders USING (false)');
    const backup = await told('backup');
    expect(backup.code, backup.text).toBe(2);
    expect(backup.text).toMatch(/row security hides rows of public\.orders/);
  },
  seconds,
);

test(
  'pg-14: what an exclude leaves out is said by backup, list, config show, drill and evidence, in rows and bytes',
  async () => {
    const { told, sql, configure } = await shop('excluding');
    await sql(
      `CREATE TABLE logs (at int, line text) PARTITION BY RANGE (at);
       CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (50);
       CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (50) TO (1000);
       INSERT INTO logs SELECT n, repeat('x', 900) FROM generate_series(1, 100) n; ANALYZE;
       GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk`,
    );
    configure(', exclude: { logs: only logs, gone: long ago }');
    const line = /'logs' \(only logs\): 2 tables, about 100 rows, \d+ KiB/;
    const backup = await told('backup');
    expect(backup.text).toMatch(line);
    expect(backup.text).toMatch(/'gone' \(long ago\): nothing/);
    expect((await told('list', 'shop')).text).toMatch(line);
    const shown = JSON.parse((await told('config', 'show', '--json')).text);
    const rule = { rule: 'logs', by: 'exclude', reason: 'only logs', tables: 2, rows: 100, files: 0 };
    expect(shown.datasets.shop.leavesOut[0]).toMatchObject(rule);
    const drill = await told('drill', '--identity', 'key.txt');
    expect(drill.text).toMatch(/PROVED/);
    expect(drill.text).toMatch(line);
    expect((await told('evidence', 'show', 'latest')).text).not.toContain('only logs');
    expect((await told('evidence', 'show', 'latest', '--identity', 'key.txt')).text).toMatch(line);

    await sql(
      'INSERT INTO logs SELECT n, repeat(md5(n::text), 50) FROM generate_series(100, 999) n, generate_series(1, 20)',
    );
    expect((await told('backup')).text).toMatch(/exclude-takes-more|'logs' leaves out much more than before/);
  },
  seconds,
);

test(
  'drill-02: a configuration that names another database than before is told by backup and drill',
  async () => {
    const { told, toldOf } = await shop('moved');
    await server.query('CREATE DATABASE moved_test TEMPLATE moved');
    expect((await told('backup')).text).not.toContain('names the wrong one');
    const other = /shop was read from database moved_test instead of database moved.* names the wrong one/;
    const backup = await toldOf('moved_test', 'backup');
    expect(backup.code, backup.text).toBe(0);
    expect(backup.text).toMatch(other);
    expect((await toldOf('moved_test', 'drill', '--identity', 'key.txt')).text).toMatch(other);
    expect((await toldOf('moved_test', 'backup')).text).not.toContain('names the wrong one');
  },
  seconds,
);
