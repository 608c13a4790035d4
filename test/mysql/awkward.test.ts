import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
beforeAll(async () => {
  // What an administrator may have set for all: none of it may end a backup, or cut it short.
  server = await startMariadb([
    '--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES',
    ...['--idle-transaction-timeout=1', '--character-set-server=utf8mb4', '--default-time-zone=+05:30'],
  ]);
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function captured(database: string) {
  await server.query('SET GLOBAL sql_select_limit = 2');
  const contents = await contentsOf(await mysqlSource({ url: server.urlOf(database) }).capture(newRun()));
  await server.query('SET GLOBAL sql_select_limit = DEFAULT');
  return contents;
}

async function restored(database: string, into: string) {
  const contents = await captured(database);
  const source = mysqlSource({ url: server.urlOf(database) });
  return { contents, ...(await source.restore(contents, { ...everything, into: server.urlOf(into) }, newRun())) };
}

test('a name or a routine that looks like the end of a statement writes no statement of a restore', async () => {
  await server.query('CREATE DATABASE sly');
  const ends = ['$$lifeboat', '$$lifeboat1', ';'].map((end) => `${end}\nDROP DATABASE mysql${end}\n`).join('');
  const name = 't$$lifeboat\nDROP DATABASE mysql$$lifeboat\nx';
  await server.script(
    `SET sql_mode = '';
     CREATE TABLE \`${name}\` (\`${name}\` varchar(200) DEFAULT '${ends}' COMMENT '${ends}');
     INSERT INTO \`${name}\` VALUES ('${ends}');
     DELIMITER //
     CREATE PROCEDURE p() BEGIN SELECT 'a${ends}'; /* ${ends} */ END//`,
    'sly',
  );
  const { contents, problems } = await restored('sly', 'caught');
  expect(problems).toEqual([]);
  const { actual, integrity } = await mysqlSource({ url: server.urlOf('sly') }).measure(
    ...([server.urlOf('caught'), contents.expectations!, newRun(), contents] as const),
  );
  expect([actual, integrity.filter(({ ok }) => !ok)]).toEqual([contents.expectations, []]);
  expect(await server.query("SHOW DATABASES LIKE 'mysql'")).toEqual([['mysql']]);
});

test('rows that no check, key or format would take today come back, and settings of the server change nothing', async () => {
  await server.query('CREATE DATABASE old CHARACTER SET latin1');
  await server.script(
    `SET check_constraint_checks = 0, foreign_key_checks = 0, sql_mode = '', innodb_strict_mode = 0;
     CREATE TABLE parent (id int PRIMARY KEY);
     CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, n int CHECK (n > 0), p int, d date, at timestamp NULL, FOREIGN KEY (p) REFERENCES parent (id));
     INSERT INTO t (n, p, d, at) VALUES (-1, 99, '0000-00-00', '2026-03-29 02:30:00'), (1, NULL, '2026-02-31', NULL), (2, NULL, NULL, NULL), (3, NULL, NULL, NULL);
     CREATE TABLE back (said text); INSERT INTO back VALUES ('a\\\\b''c');`,
    'old',
  );
  const before = await lookAt(server, 'old');
  expect((await restored('old', 'again')).problems).toEqual([]);
  expect(await lookAt(server, 'again')).toEqual(before);
});

test('rows that are kept elsewhere are neither read nor written; a view that asks nobody is kept and named, and a drill does not miss it', async () => {
  await server.query('CREATE DATABASE apart');
  await server.script(
    `CREATE TABLE a (x int) ENGINE=MyISAM; CREATE TABLE b (x int) ENGINE=MyISAM; INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);
     CREATE TABLE both_of_them (x int) ENGINE=MERGE UNION=(a, b) INSERT_METHOD=LAST;
     CREATE TABLE gone (x int); CREATE VIEW asks AS SELECT * FROM gone; CREATE VIEW sound AS SELECT * FROM both_of_them; DROP TABLE gone;`,
    'apart',
  );
  const { contents, problems } = await restored('apart', 'together');
  expect(problems.map(({ code, message }) => [code, /^view asks /.test(message)])).toEqual([
    ['mysql-view-broken', true],
  ]);
  expect(contents.expectations?.tables.map(({ table, rows }) => [table, rows])).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
  expect(await server.query('SELECT x FROM sound ORDER BY x', 'together')).toEqual([['1'], ['2']]);
  const { integrity } = await mysqlSource({ url: server.urlOf('apart') }).measure(
    ...([server.urlOf('together'), contents.expectations!, newRun(), contents] as const),
  );
  expect(integrity.filter(({ ok }) => !ok)).toEqual([]);
  expect(contents.facts.notCompared).toEqual([
    { table: 'both_of_them', reason: 'its rows are kept elsewhere' },
    { table: 'view asks', reason: 'it asks what is not there, in the source already' },
  ]);
});

test('what the target does not take is named, and all else is back', async () => {
  await server.query('CREATE DATABASE library; CREATE TABLE library.books (id int); CREATE DATABASE reading');
  await server.script(
    'CREATE TABLE t (a int); CREATE VIEW lent AS SELECT * FROM library.books; CREATE VIEW own AS SELECT * FROM t',
    'reading',
  );
  const contents = await captured('reading');
  await server.query('DROP DATABASE library');
  const into = server.urlOf('elsewhere');
  const { problems } = await mysqlSource({ url: into }).restore(contents, everything, newRun());
  expect(problems).toEqual([
    { code: 'object-not-made-again', message: expect.stringMatching(/^view lent could not be made again: .*library/) },
  ]);
  expect((await server.query('SHOW TABLES', 'elsewhere')).flat()).toEqual(['own', 't']);
});

test('a restore that was killed is named by the next, with what removes it', async () => {
  await server.query('CREATE DATABASE small; CREATE TABLE small.t (a int); CREATE DATABASE `nest__lifeboat_abc`');
  const { problems } = await restored('small', 'nest');
  expect(problems).toEqual([
    { code: 'restore-left-over', message: expect.stringContaining('DROP DATABASE `nest__lifeboat_abc`;') },
  ]);
});
