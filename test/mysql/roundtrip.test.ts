import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { comparePaths } from '../../src/core/paths.ts';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf, type KeptContents } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { lookAt } from './look.ts';

let server: Mariadb;

beforeAll(async () => {
  server = await startMariadb(['--log-bin=bin', '--server-id=1', '--max-allowed-packet=64M']);
  await server.query('CREATE DATABASE torture CHARACTER SET utf8mb4');
  await server.script(await readFile(new URL('./torture.sql', import.meta.url)), 'torture');
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const captured = async (database: string, user?: string): Promise<KeptContents> =>
  contentsOf(await mysqlSource({ url: server.urlOf(database, user) }).capture(newRun()));

const look = (database: string) => lookAt(server, database);

test('my1, my2, my3, my4, my5, my26: all that a vendor dump loses comes back equal, as the server itself counts and shows it', async () => {
  const before = await look('torture');
  const contents = await captured('torture');
  const source = mysqlSource({ url: server.urlOf('torture') });
  const restored = await source.restore(contents, { ...everything, into: server.urlOf('copy') }, newRun());
  expect(restored.problems.map(({ code, message }) => [code, message.includes('ghost')])).toEqual([
    ['mysql-definer-missing', true],
  ]);
  expect(await look('copy')).toEqual(before);
  const { actual, integrity } = await source.measure(server.urlOf('copy'), contents.expectations!, newRun(), contents);
  expect(actual).toEqual(contents.expectations);
  expect(integrity.map(({ name, ok }) => [name, ok])).toEqual([
    ['integrity', true],
    ['definitions', true],
    ['roles and settings', true],
  ]);
  // A default draws from the copy's own sequence.
  const [made] = await server.query('SHOW CREATE TABLE seqt', 'copy');
  expect(made?.join(' ')).not.toContain('torture');
});

test('U4, my13: the server’s own client loads each file, one after another, and nothing of ours is needed', async () => {
  const before = await look('torture');
  const contents = await captured('torture');
  await server.query('CREATE DATABASE byhand CHARACTER SET utf8mb4');
  for (const { path } of [...contents.stored].sort((a, b) => comparePaths(a.path, b.path))) {
    const bytes = await Array.fromAsync(contents.read(path));
    expect(bytes[0]?.subarray(0, 2).toString()).toBe('--');
    await server.script(Buffer.concat(bytes), 'byhand');
  }
  expect(await look('byhand')).toEqual(before);
});

test('my14: what is not empty is refused and left alone; a restore that fails leaves nothing', async () => {
  await server.query('CREATE DATABASE taken; CREATE TABLE taken.t (a int); INSERT INTO taken.t VALUES (1)');
  const contents = await captured('taken');
  const source = mysqlSource({ url: server.urlOf('taken') });
  const refused = source.restore(contents, { ...everything, into: server.urlOf('taken') }, newRun());
  await expect(refused).rejects.toMatchObject({ code: 'target-not-empty' });
  expect(await server.query('SELECT a FROM taken.t')).toEqual([['1']]);
  const [table] = contents.expectations!.tables;
  const other = { ...contents, expectations: { ...contents.expectations!, tables: [{ ...table!, rows: 2 }] } };
  const failed = source.restore(other, { ...everything, into: server.urlOf('half') }, newRun());
  await expect(failed).rejects.toMatchObject({ code: 'mysql-restore-refused' });
  expect(await server.query("SHOW DATABASES LIKE 'half'")).toEqual([]);
});

test('my6: a definition that changes while it is read waits where the role may hold it, and else nothing is stored', async () => {
  await server.query(`CREATE DATABASE moving; CREATE TABLE moving.a (x int); CREATE TABLE moving.b (x int);
    CREATE USER reader@localhost; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON moving.* TO reader@localhost; GRANT SELECT ON mysql.proc TO reader@localhost`);
  const source = mysqlSource({ url: server.urlOf('moving', 'reader') });
  for (const change of [
    'ALTER TABLE moving.b ADD COLUMN y int, ALGORITHM=INSTANT',
    'ALTER TABLE moving.b DROP COLUMN y, ALGORITHM=INSTANT',
    'ALTER TABLE moving.b ENGINE=InnoDB, ADD KEY (x)',
    'TRUNCATE TABLE moving.b',
    'DROP TABLE moving.b; CREATE TABLE moving.b (x int)',
    'RENAME TABLE moving.b TO moving.c',
  ]) {
    await using capture = await source.capture(newRun());
    const entries = capture.entries[Symbol.asyncIterator]();
    await entries.next();
    await server.query(change);
    const rest = contentsOf({ ...capture, entries: { [Symbol.asyncIterator]: () => entries } });
    await expect(rest, change).rejects.toMatchObject({ code: 'mysql-changed-meanwhile' });
  }

  const held = await mysqlSource({ url: server.urlOf('moving') }).capture(newRun());
  const altered = server.query('ALTER TABLE moving.c ADD COLUMN z int, ALGORITHM=INSTANT');
  const contents = await contentsOf(held);
  await altered;
  expect(contents.captured.problems).toEqual([]);
});

test('T2: the position is the snapshot’s own: what is written after it is in the log from there on, and not in the rows', async () => {
  await server.query('CREATE DATABASE log; CREATE TABLE log.t (a int PRIMARY KEY); INSERT INTO log.t VALUES (1)');
  await using capture = await mysqlSource({ url: server.urlOf('log') }).capture(newRun());
  await server.query('INSERT INTO log.t VALUES (2)');
  const { facts, expectations } = (await contentsOf(capture)).captured;
  expect(expectations?.tables.find(({ table }) => table === 't')?.rows).toBe(1);
  const { file, position, gtid } = facts.position as Record<string, string>;
  const events = await server.query(`SHOW BINLOG EVENTS IN '${file}' FROM ${position}`);
  expect(events.filter(([, , type]) => type === 'Gtid')).toHaveLength(1);
  expect(gtid).toMatch(/^0-1-\d+$/);
});

test('my11: a row that the target would not take as a statement is named, with what mends it; then it comes back', async () => {
  await server.query(
    'CREATE DATABASE large; CREATE TABLE large.t (a longblob); INSERT INTO large.t VALUES (REPEAT(0xff, 3000000))',
  );
  const contents = await captured('large');
  const source = mysqlSource({ url: server.urlOf('large') });
  const restore = () => source.restore(contents, { ...everything, into: server.urlOf('larger') }, newRun());
  await server.query('SET GLOBAL max_allowed_packet = 4194304');
  await expect(restore()).rejects.toMatchObject({
    code: 'mysql-packet-too-small',
    hint: expect.stringContaining('SET GLOBAL'),
  });
  expect(await server.query("SHOW DATABASES LIKE 'larger'")).toEqual([]);
  await server.query('SET GLOBAL max_allowed_packet = 67108864');
  await restore();
  expect(await server.query('SELECT SUM(LENGTH(a)) FROM larger.t')).toEqual([['3000000']]);
});

test('P3: what belongs together is of one moment, while others write', async () => {
  await server.query('CREATE DATABASE busy');
  await server.script(
    `CREATE TABLE a (n int PRIMARY KEY); CREATE TABLE b (n int PRIMARY KEY); CREATE TABLE ended (x int);
    DELIMITER //
    CREATE PROCEDURE write_pairs() BEGIN
      DECLARE n int DEFAULT 0;
      WHILE NOT EXISTS (SELECT 1 FROM ended) DO
        SET n = n + 1; START TRANSACTION; INSERT INTO a VALUES (n); INSERT INTO b VALUES (n); COMMIT;
      END WHILE;
    END//`,
    'busy',
  );
  const writing = server.query('CALL write_pairs()', 'busy');
  const countOf = async (table: string) => Number((await server.query(`SELECT COUNT(*) FROM ${table}`))[0]?.[0]);
  while ((await countOf('busy.a')) === 0);
  const contents = await captured('busy');
  const before = await countOf('busy.a');
  while ((await countOf('busy.a')) === before);
  await server.query('INSERT INTO busy.ended VALUES (1)');
  await writing;
  const into = server.urlOf('calm');
  await mysqlSource({ url: server.urlOf('busy') }).restore(contents, { ...everything, into }, newRun());
  const rows = await countOf('calm.a');
  expect([rows > 0, rows, await countOf('calm.b')]).toEqual([true, rows, rows]);
});
