import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { until } from '../support/until.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
let before: unknown;

beforeAll(async () => {
  server = await startMariadb();
  const script = readFileSync(new URL('./shop.sql', import.meta.url));
  for (const name of ['whole', 'shop']) {
    await server.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await server.script(script, name);
  }
  before = await lookAt(server, 'whole');
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** What is in `whole`, into `shop`. */
async function restore(only: readonly string[], force: boolean) {
  const contents = await contentsOf(await mysqlSource({ url: server.urlOf('whole') }).capture(newRun()));
  return mysqlSource({ url: server.urlOf('shop') }).restore(contents, { only, force }, newRun());
}
const remains = async () => (await server.query("SHOW DATABASES LIKE '%lifeboat%'")).flat();

test('chosen tables come in a database of their own, without keys to tables that are not there', async () => {
  await restore([], true);
  const { where, problems } = await restore(['orders', 'log'], false);
  const name = decodeURIComponent(/\/([^/?]*)\?/.exec(where)?.[1] ?? '');
  expect([name, problems]).toEqual([expect.stringMatching(/^shop__tables_/), []]);
  expect((await server.query('SHOW TABLES', name)).flat()).toEqual(['invoice_number', 'log', 'orders']);
  expect(await server.query('SELECT id, amount FROM orders', name)).toHaveLength(3);
  await server.query('INSERT INTO orders (customer, product) VALUES (77, 77)', name);
  await server.query(`DROP DATABASE ${name}`);
  expect([await lookAt(server, 'shop'), await remains()]).toEqual([before, []]);
});

test('chosen tables take the place of the live ones, together, in whatever order their keys want; what else is there stays', async () => {
  await server.query(
    `SET foreign_key_checks = 0; DELETE FROM orders; DELETE FROM customer; UPDATE product SET title = 'Other'; INSERT INTO setting VALUES ('new', 'kept')`,
    'shop',
  );
  const { problems, where } = await restore(['orders', 'customer'], true);
  expect([problems, where]).toEqual([[], expect.stringContaining('/shop?')]);
  expect(await server.query('SELECT COUNT(*) FROM orders JOIN customer ON customer.id = customer', 'shop')).toEqual([
    ['3'],
  ]);
  expect(
    await server.query('SELECT (SELECT title FROM product LIMIT 1), (SELECT COUNT(*) FROM setting)', 'shop'),
  ).toEqual([['Other', '2']]);
  // Its keys lead to the live tables again, and its trigger is there.
  await expect(server.query('INSERT INTO orders (customer, product) VALUES (77, 1)', 'shop')).rejects.toThrow(
    'foreign key',
  );
  await server.query('UPDATE orders SET amount = 9 WHERE id = 1', 'shop');
  expect(await server.query("SELECT COUNT(*) FROM log WHERE said = 'changed'", 'shop')).toEqual([['1']]);
});

test('a table that others refer to is not replaced alone; one whose rows refer to nothing that is there neither', async () => {
  await restore([], true);
  await expect(restore(['customer'], true)).rejects.toMatchObject({
    code: 'mysql-tables-referred',
    message: expect.stringContaining('orders'),
  });
  await server.query('SET foreign_key_checks = 0; DELETE FROM product WHERE id = 2', 'shop');
  await expect(restore(['orders'], true)).rejects.toMatchObject({ code: 'mysql-restore-refused' });
  expect(await remains()).toEqual([]);
  await restore([], true);
  expect(await lookAt(server, 'shop')).toEqual(before);
});

test('a table that the backup has not is named, with those that it has', async () => {
  await expect(restore(['invoices'], false)).rejects.toMatchObject({
    code: 'mysql-table-unknown',
    hint: expect.stringContaining('customer'),
  });
});

test('a restore that cannot take the place leaves all as it was, triggers, views and routines too', async () => {
  await server.query(
    'CREATE DATABASE other; CREATE TABLE other.t (c int, FOREIGN KEY (c) REFERENCES shop.customer (id))',
  );
  await expect(restore([], true)).rejects.toMatchObject({
    code: 'mysql-tables-referred',
    message: expect.stringContaining('other.t'),
  });
  await server.query('DROP DATABASE other');
  // Somebody holds a table for longer than the server lets anybody wait.
  await server.query('SET GLOBAL lock_wait_timeout = 1');
  const holding = server.query('LOCK TABLES setting READ; DO SLEEP(1000)', 'shop').catch(() => {});
  const holder = await until(async () => {
    const [row] = await server.query("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(1000)'");
    return row?.[0];
  });
  const refused = restore([], true);
  await expect(refused).rejects.toMatchObject({
    code: 'mysql-restore-refused',
    message: expect.stringContaining('ock'),
  });
  await server.query(`KILL ${holder}`);
  await holding;
  expect([await lookAt(server, 'shop'), await remains()]).toEqual([before, []]);
});
