import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf, type KeptContents } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { type MariadbDoor, openDoor } from '../support/mariadb-door.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
let door: MariadbDoor;
let contents: KeptContents;
let before: unknown;

beforeAll(async () => {
  server = await startMariadb();
  door = await openDoor(server);
});

afterAll(async () => {
  await door?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function makeShop(): Promise<void> {
  await prepare(false);
  await server.query(
    "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE ROLE clerk; CREATE USER 'app'@'%' IDENTIFIED BY 'secret'",
  );
  await server.script(readFileSync(new URL('./shop.sql', import.meta.url)), 'shop');
  await server.query(`CREATE TABLE shop.numbered (n int DEFAULT nextval(shop.invoice_number), what text);
    CREATE DEFINER = app@'%' VIEW shop.cheap AS SELECT * FROM shop.product WHERE price < 10;
    GRANT SELECT, INSERT ON shop.* TO 'app'@'%'; GRANT UPDATE ON shop.log TO clerk; GRANT clerk TO 'app'@'%'`);
  contents = await contentsOf(await mysqlSource({ url: server.urlOf('shop') }).capture(newRun()));
  before = await lookAt(server, 'shop');
}

const accounts = "DROP USER IF EXISTS 'app'@'%'; DROP ROLE IF EXISTS clerk";
const leftovers = async () => (await server.query("SHOW DATABASES LIKE '%lifeboat%'")).map(([name]) => name!);
const grants = async () => [
  await server.query("SHOW GRANTS FOR 'app'@'%'"),
  await server.query('SHOW GRANTS FOR clerk'),
];

/** Nothing is at the place that it goes to, or something else is. */
async function prepare(isTaken: boolean): Promise<void> {
  for (const name of ['shop', ...(await leftovers())]) await server.query(`DROP DATABASE IF EXISTS \`${name}\``);
  await server.query(accounts);
  if (!isTaken) return;
  await server.query('CREATE DATABASE shop');
  await server.script(
    `CREATE TABLE customer (id int); INSERT INTO customer VALUES (7); CREATE TABLE mine (x int); INSERT INTO mine VALUES (1);
     CREATE VIEW only_here AS SELECT x FROM mine; CREATE PROCEDURE only_here() SELECT 1;
     CREATE TRIGGER only_here BEFORE INSERT ON mine FOR EACH ROW SET NEW.x = 1;
     CREATE EVENT only_here ON SCHEDULE EVERY 1 DAY DO DELETE FROM mine`,
    'shop',
  );
}

/** What a restore says to the server, killed before its statement `nth`; the mark of what it was about to place. */
async function restoreUntil(nth: number, force: boolean): Promise<{ heard: string[]; mark?: string; where?: string }> {
  const heard: string[] = [];
  let mark: string | undefined;
  const killed = Promise.withResolvers<undefined>();
  door.guard((sql, at) => {
    heard.push(sql);
    if (at < nth) return 'pass';
    killed.resolve(undefined);
    return 'die';
  });
  const target = {
    ...{ force, only: [] },
    beforePlacing: (told: string) => {
      mark = told;
    },
  };
  // Who is killed never hears how it ended.
  const restoring = mysqlSource({ url: door.urlOf('shop') }).restore(contents, target, newRun());
  restoring.catch(() => {});
  const ended = await Promise.race([restoring, killed.promise]);
  return { heard, ...(mark !== undefined && { mark }), ...(ended && { where: ended.where }) };
}

/** As a recovery that is called again: what was placed is gone on with, all else is restored anew. */
async function again(mark: string | undefined, force: boolean): Promise<string> {
  const source = mysqlSource({ url: server.urlOf('shop') });
  const run = newRun();
  if (mark !== undefined && (await source.wasPlaced(mark, contents, run))) return JSON.stringify(run.problems);
  return JSON.stringify((await source.restore(contents, { ...everything, force }, run)).problems);
}

/** On both sides of what changes the target. */
function momentsOf(heard: readonly string[]): number[] {
  const rename = heard.findIndex((sql) => sql.startsWith('RENAME TABLE')) + 1;
  const first = (text: RegExp) => heard.findIndex((sql, at) => at >= rename && text.test(sql)) + 1;
  const after = [/ALTER TABLE .* SET DEFAULT/, /^DROP DATABASE/, /^CREATE.* VIEW/, /^CREATE USER/, /^GRANT/].map(first);
  return [rename - 1, rename, rename + 1, ...after, ...after.slice(-2).map((at) => at + 1), heard.length];
}

for (const isTaken of [false, true])
  test(`a restore ${isTaken ? 'that replaces ' : ''}is killed around each statement that changes the target: called again it ends equal, nothing is lost, and what is left over is named`, async () => {
    await makeShop();
    await prepare(isTaken);
    const { heard } = await restoreUntil(Number.POSITIVE_INFINITY, isTaken);
    const granted = await grants();
    for (const moment of momentsOf(heard)) {
      const when = `before statement ${moment}: ${heard[moment - 1]}`;
      await prepare(isTaken);
      const { mark } = await restoreUntil(moment, isTaken);
      const left = await leftovers();
      const texts = await Promise.all(
        ['shop', ...left].map(async (name) => {
          const kept = await server.query(`SELECT definition FROM \`${name}\`.__lifeboat_definitions`).catch(() => []);
          return JSON.stringify([await lookAt(server, name).catch(() => []), kept]);
        }),
      );
      const isPlaced = texts[0]!.includes('setting');
      // What it was about to replace is there until the other is.
      if (isTaken && !isPlaced) expect(texts.join().match(/only_here/g)?.length, when).toBeGreaterThanOrEqual(4);
      const told = await again(mark, isTaken);
      expect(await lookAt(server, 'shop'), when).toEqual(before);
      expect(await grants(), when).toEqual(granted);
      for (const name of await leftovers()) expect(told, when).toContain(name);
    }
  });
