import { type Mariadb, startMariadb } from '../test/support/mariadb.ts';
import type { DatabasePlaces } from './databases.ts';

/** What the server takes for one account, its indexes, and its share of the other tables, as rows. */
const bytesPerAccount = 230;

/** With room for the rows in its memory, as a server of that size has. */
export async function startBenchMariadb(): Promise<Mariadb> {
  return startMariadb(['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=256M', '--max-allowed-packet=64M']);
}

const tables = ['branches', 'accounts', 'history', 'documents'];

/** Fills database `name` with tables like pgbench's and one of documents, the same on every machine. */
export async function makeMariadbDatabase(server: Mariadb, name: string, sizeBytes: number): Promise<void> {
  await server.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const accounts = Math.max(Math.floor(sizeBytes / bytesPerAccount), 1000);
  await server.script(
    `CREATE TABLE branches (bid int PRIMARY KEY, bbalance int NOT NULL, filler char(88));
     CREATE TABLE accounts (aid int PRIMARY KEY, bid int NOT NULL REFERENCES branches (bid), abalance int NOT NULL, filler char(84));
     CREATE TABLE history (hid bigint PRIMARY KEY, aid int NOT NULL REFERENCES accounts (aid), delta int NOT NULL,
       mtime datetime(6) NOT NULL, note text);
     CREATE TABLE documents (did int PRIMARY KEY, body json NOT NULL);
     INSERT INTO branches SELECT seq, seq * 37 % 1000, '' FROM seq_1_to_100;
     INSERT INTO accounts SELECT seq, seq % 100 + 1, CRC32(seq) % 100000,
       IF(seq % 2 = 0, CONCAT(MD5(seq), MD5(-seq)), NULL) FROM seq_1_to_${accounts};
     INSERT INTO history SELECT seq, seq * 7919 % ${accounts} + 1, CRC32(seq) % 5000,
       TIMESTAMP '2026-01-01 00:00:00' + INTERVAL seq * 1.7 SECOND,
       IF(seq % 3 = 0, CONCAT('transfer ', MD5(seq)), NULL) FROM seq_1_to_${Math.floor(accounts / 2)};
     INSERT INTO documents SELECT seq, JSON_OBJECT('number', seq, 'customer', CONCAT('Customer ', CRC32(seq) % 5000),
       'lines', JSON_ARRAY(MD5(seq), 'Berth, per night', seq % 17), 'paid', seq % 3 = 0) FROM seq_1_to_${Math.floor(accounts / 5)};`,
    name,
  );
}

/** Updates 1 % of the accounts, in one stretch, as a day's work touches the recent ones. */
export async function changeMariadbDatabase(server: Mariadb, name: string, round: number): Promise<void> {
  const [[many = '0'] = []] = await server.query('SELECT COUNT(*) FROM accounts', name);
  const length = Math.ceil(Number(many) / 100);
  const from = (round * 17 * length) % Math.max(Number(many) - length, 1);
  await server.query(
    `UPDATE accounts SET abalance = abalance + ${round + 1} WHERE aid BETWEEN ${from + 1} AND ${from + length}`,
    name,
  );
}

export async function mariadbBytes(server: Mariadb, name: string): Promise<number> {
  const [[bytes = '0'] = []] = await server.query(
    `SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${name}'`,
  );
  return Number(bytes);
}

export function mariadbPlaces(server: Mariadb): DatabasePlaces {
  return {
    async create(name) {
      await server.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
      return server.urlOf(name);
    },
    async drop(url) {
      await server.query(`DROP DATABASE ${databaseIn(url)}`);
    },
    async digest(url) {
      const sums = await server.query(`CHECKSUM TABLE ${tables.join(', ')}`, databaseIn(url));
      return sums.map(([, sum]) => sum).join();
    },
  };
}

/** Its URLs have no host, so nothing of JavaScript's reads them. */
export function databaseIn(url: string): string {
  return decodeURIComponent(/^mysql:\/\/[^/]*\/([^?]*)/.exec(url)?.[1] ?? '');
}

export function socketIn(url: string): string {
  return decodeURIComponent(/\?socket=(.*)$/.exec(url)?.[1] ?? '');
}
