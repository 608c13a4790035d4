import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf, type KeptContents } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { type MariadbDoor, openDoor } from '../support/mariadb-door.ts';
import { isLong, rounds } from '../support/rounds.ts';
import { until } from '../support/until.ts';
import { lookAt } from './look.ts';

/** The source, its door, and a server that never had a word of its log. */
let server: Mariadb;
let door: MariadbDoor;
let other: Mariadb;

beforeAll(async () => {
  [server, other] = await Promise.all([
    startMariadb(['--log-bin=bin', '--server-id=1', '--binlog-format=ROW', '--max-binlog-size=1M']),
    startMariadb(),
  ]);
  door = await openDoor(server);
  await server.query(`CREATE USER reader@localhost; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON busy.* TO reader@localhost;
    GRANT SELECT ON mysql.proc TO reader@localhost; GRANT BINLOG MONITOR ON *.* TO reader@localhost`);
});

afterAll(async () => {
  await door?.[Symbol.asyncDispose]();
  await Promise.all([server?.[Symbol.asyncDispose](), other?.[Symbol.asyncDispose]()]);
});

const tables = `
  CREATE TABLE ended (x int);
  CREATE TABLE pair_a (n int PRIMARY KEY AUTO_INCREMENT, v text); CREATE TABLE pair_z (n int PRIMARY KEY);
  CREATE TABLE item (n int PRIMARY KEY AUTO_INCREMENT, v varchar(100), f float, b blob, j json);
  CREATE TABLE past (n int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
  CREATE TABLE plain (n int) ENGINE = MyISAM;
  CREATE TABLE cut (n int PRIMARY KEY AUTO_INCREMENT, v int); CREATE TABLE swap (n int PRIMARY KEY AUTO_INCREMENT, v int);
  CREATE TABLE gone (n int PRIMARY KEY AUTO_INCREMENT, v int);
  INSERT INTO item (v) VALUES ('first'), ('second'); INSERT INTO past VALUES (1, 1), (2, 1), (3, 1); INSERT INTO cut (v) VALUES (1);
  INSERT INTO swap (v) VALUES (1); INSERT INTO gone (v) VALUES (1); INSERT INTO plain VALUES (1);
  CREATE SEQUENCE numbers; CREATE VIEW seen AS SELECT n, v FROM item; CREATE PROCEDURE say() SELECT 1;
  CREATE TRIGGER noted BEFORE INSERT ON item FOR EACH ROW SET NEW.f = 1.1;
  CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM item;`;

/** What migrations do, each with what takes it back. */
const migrations: readonly (readonly [change: string, back: string])[] = [
  ['ALTER TABLE item ADD COLUMN more int DEFAULT 7, ALGORITHM=INSTANT', 'ALTER TABLE item DROP COLUMN more'],
  ['ALTER TABLE item DROP COLUMN b, ALGORITHM=INSTANT', 'ALTER TABLE item ADD COLUMN b blob'],
  ['ALTER TABLE item ADD KEY (v), ENGINE=InnoDB', 'ALTER TABLE item DROP KEY v'],
  ['ALTER TABLE item MODIFY v varchar(300)', 'ALTER TABLE item MODIFY v varchar(100)'],
  ['TRUNCATE TABLE cut', 'INSERT INTO cut (v) VALUES (1)'],
  ['DROP TABLE gone', 'CREATE TABLE gone (n int PRIMARY KEY AUTO_INCREMENT, v int)'],
  ['DROP TABLE gone; CREATE TABLE gone (n int PRIMARY KEY AUTO_INCREMENT, v int)', 'INSERT INTO gone (v) VALUES (2)'],
  [
    'CREATE TABLE swap_new LIKE swap; INSERT INTO swap_new SELECT n, v + 1 FROM swap; RENAME TABLE swap TO swap_old, swap_new TO swap',
    'DROP TABLE swap_old',
  ],
  ['CREATE OR REPLACE VIEW seen AS SELECT n FROM item', 'CREATE OR REPLACE VIEW seen AS SELECT n, v FROM item'],
  ['CREATE PROCEDURE hear() SELECT 2', 'DROP PROCEDURE hear'],
  ['CREATE OR REPLACE PROCEDURE say() SELECT 3', 'CREATE OR REPLACE PROCEDURE say() SELECT 1'],
  [
    'CREATE OR REPLACE TRIGGER noted BEFORE INSERT ON item FOR EACH ROW SET NEW.f = 2.2',
    'CREATE OR REPLACE TRIGGER noted BEFORE INSERT ON item FOR EACH ROW SET NEW.f = 1.1',
  ],
  [
    'ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY DO DELETE FROM item',
    'ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM item',
  ],
  ['CREATE SEQUENCE others', 'DROP SEQUENCE others'],
];

async function makeBusy(): Promise<void> {
  await server.query('CREATE OR REPLACE DATABASE busy CHARACTER SET utf8mb4');
  await server.script(tables, 'busy');
}

/** That a backup is of the very moment that it names: what the log has from there on makes of it what the source is. */
async function expectReplays(contents: KeptContents): Promise<void> {
  await other.query('DROP DATABASE IF EXISTS busy');
  await mysqlSource({ url: other.urlOf('busy') }).restore(contents, everything, newRun());
  const { file, position } = contents.facts.position as Record<string, string>;
  await other.script(await server.logFrom(file!, position!), 'mysql');
  expect(await lookAt(other, 'busy')).toEqual(await lookAt(server, 'busy'));
}

/** Ends with a change, or when it waits for a backup, which would wait for ever for it. */
async function isThroughOrWaits(change: Promise<unknown>): Promise<void> {
  let isThrough = false;
  change.finally(() => {
    isThrough = true;
  });
  const waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for%'";
  await until(async () => isThrough || (await server.query(waiting)).length > 0);
}

const backup = async (url: string) => contentsOf(await mysqlSource({ url }).capture(newRun()));

/** Undefined where somebody changed a definition, which is said. */
const backupIfHeld = (url: string) =>
  backup(url).catch((error: { code?: string }) => {
    expect(error).toMatchObject({ code: 'mysql-changed-meanwhile' });
    return undefined;
  });

test('my6: whenever a definition changes while it is read, the backup is of the moment that it names, or says what was changed', async () => {
  for (const user of ['root', 'reader']) {
    const isHolding = user === 'root';
    await makeBusy();
    const heard: string[] = [];
    door.guard((sql) => {
      heard.push(sql);
      return 'pass';
    });
    await backup(door.urlOf('busy', user));
    const at = (text: string) => heard.findIndex((sql) => sql.includes(text)) + 1;
    const some = ['SNAPSHOT', 'information_schema.COLUMNS', 'CHECKSUM'].map(at);
    const all = heard.map((_, nth) => nth + 1);
    let told = 0;
    for (const [turn, [change, back]] of migrations.slice(0, isHolding && !isLong ? 1 : undefined).entries())
      for (const moment of isLong && !isHolding
        ? all.filter((nth) => nth % 7 === turn % 7)
        : [at('SNAPSHOT') + 1, some[turn % some.length]!]) {
        let changing: Promise<unknown> | undefined;
        door.guard(async (_, nth) => {
          if (nth === moment) {
            changing = server.query(change, 'busy');
            await isThroughOrWaits(changing);
          }
          return 'pass' as const;
        });
        const contents = await backupIfHeld(door.urlOf('busy', user));
        await changing;
        if (contents === undefined) told += 1;
        else
          await expectReplays(contents).catch((error: unknown) => {
            throw new Error(`${user}, before ${heard[moment - 1]}: ${change}: ${error}`, { cause: error });
          });
        await server.query(back, 'busy');
      }
    if (isHolding) expect(told).toBe(0);
    else expect(told).toBeGreaterThan(migrations.length);
  }
});

const writing = `DELIMITER //
  CREATE PROCEDURE write_on() BEGIN
    DECLARE i int DEFAULT 0;
    DECLARE CONTINUE HANDLER FOR SQLEXCEPTION ROLLBACK;
    WHILE NOT EXISTS (SELECT 1 FROM ended) DO
      SET i = i + 1;
      START TRANSACTION; INSERT INTO pair_a (v) VALUES (UUID()); INSERT INTO pair_z VALUES (LAST_INSERT_ID()); COMMIT;
      DELETE FROM pair_a WHERE n = LAST_INSERT_ID() - 500; DELETE FROM pair_z WHERE n = LAST_INSERT_ID() - 500;
      INSERT INTO item (v, b, j) VALUES (UUID(), RANDOM_BYTES(100), '{"a": 1}');
      UPDATE item SET v = CONCAT(i, '!'), b = NULL WHERE n = LAST_INSERT_ID() - i MOD 50;
      DELETE FROM item WHERE n = LAST_INSERT_ID() - 500;
      UPDATE past SET v = v + 1 WHERE n = 1 + i MOD 3 AND i MOD 20 = 0;
      INSERT INTO cut (v) VALUES (i); INSERT INTO swap (v) VALUES (i); UPDATE gone SET v = v + 1; DO NEXTVAL(numbers);
      DO SLEEP(${isLong ? 0.001 : 0.005});
    END WHILE;
  END//
  CREATE PROCEDURE write_plain() WHILE NOT EXISTS (SELECT 1 FROM ended) DO INSERT INTO plain VALUES (1); DO SLEEP(0.01); END WHILE//`;

test('P3, T2, my10: backups under load and migrations are each of their moment, and the log from there on makes of them what the source is', async () => {
  await makeBusy();
  await server.script(writing, 'busy');
  const writers = ['write_on', 'write_on', 'write_plain'].map((name) => server.query(`CALL ${name}()`, 'busy'));
  let migrated = 0;
  let isOver = false;
  const migrating = (async () => {
    for (let at = 0; !isOver; at = (at + 1) % migrations.length) {
      for (const sql of migrations[at]!) await server.query(sql, 'busy');
      migrated += 1;
    }
  })();
  const backups: KeptContents[] = [];
  const started = performance.now();
  const before = await written();
  let told = 0;
  while (backups.length < rounds({ short: 2, long: 20 })) {
    const contents = await backupIfHeld(server.urlOf('busy', backups.length % 4 === 3 ? 'reader' : 'root'));
    if (contents === undefined) told += 1;
    else backups.push(contents);
  }
  const perSecond = ((await written()) - before) / ((performance.now() - started) / 1000);
  isOver = true;
  await migrating;
  await server.query('INSERT INTO busy.ended VALUES (1)');
  await Promise.all(writers);
  expect(migrated).toBeGreaterThan(0);
  if (isLong)
    console.info(
      `${backups.length} backups, ${told} failed, ${migrated} migrations, ${perSecond.toFixed(0)} writes a second`,
    );
  for (const contents of backups) await expectReplays(contents);
});

async function written(): Promise<number> {
  const rows = await server.query(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Handler_write', 'Handler_update', 'Handler_delete')",
  );
  return rows.reduce((sum, [, value]) => sum + Number(value), 0);
}
