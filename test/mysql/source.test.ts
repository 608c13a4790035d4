import { afterAll, beforeAll, describe } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { sourceSuite } from '../suites/source.suite.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
beforeAll(async () => {
  server = await startMariadb();
  await server.query("CREATE USER app@'%' IDENTIFIED BY 'secret'; CREATE ROLE seller; GRANT seller TO app@'%'");
});
afterAll(() => server?.[Symbol.asyncDispose]());

let made = 0;

describe('a MariaDB database', () => {
  sourceSuite(async () => {
    const home = `home_${++made}`;
    await server.query(`CREATE DATABASE ${home} CHARACTER SET utf8mb4 COMMENT 'of the harbor'`);
    await server.script(
      `CREATE TABLE customer (id int PRIMARY KEY AUTO_INCREMENT, name varchar(100) NOT NULL);
       CREATE TABLE invoice (id int PRIMARY KEY AUTO_INCREMENT, customer int NOT NULL, amount decimal(10,2), FOREIGN KEY (customer) REFERENCES customer (id));
       CREATE SEQUENCE numbers START WITH 100; CREATE TABLE numbered (n int DEFAULT nextval(numbers), what text);
       INSERT INTO customer (name) VALUES ('Ada'), ('Grace'); INSERT INTO invoice (customer, amount) VALUES (1, 10.5), (2, 7), (2, NULL);
       INSERT INTO numbered (what) VALUES ('first'), ('second');
       CREATE VIEW owed AS SELECT name, SUM(amount) amount FROM customer JOIN invoice ON customer.id = customer GROUP BY name;
       DELIMITER //
       CREATE DEFINER = app@'%' FUNCTION half(x int) RETURNS int DETERMINISTIC RETURN x / 2//
       CREATE TRIGGER doubled BEFORE INSERT ON invoice FOR EACH ROW SET NEW.amount = NEW.amount * 2//
       CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM invoice WHERE amount = 0//`,
      home,
    );
    await server.query(`GRANT SELECT, INSERT ON ${home}.* TO app@'%'; GRANT UPDATE ON ${home}.invoice TO seller`);
    const source = mysqlSource({ url: server.urlOf(home) });
    const databaseOf = (url: string) => /\/([^/?]*)\?/.exec(url)?.[1] ?? '';
    return {
      source,
      newTarget: async () => server.urlOf(`copy_${++made}`),
      look: (where) => lookAt(server, databaseOf(where)),
      lookHome: () => lookAt(server, home),
      async change() {
        await server.query(
          `INSERT INTO invoice (customer, amount) VALUES (1, 3); UPDATE customer SET name = 'Joan' WHERE id = 1`,
          home,
        );
      },
      async vanish() {
        await server.query(`DROP DATABASE ${home}`);
      },
      async remains() {
        const found = await server.query("SHOW DATABASES LIKE '%lifeboat%'");
        return found.map((row) => row.join());
      },
    };
  });
});
