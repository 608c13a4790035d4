import pg from 'pg';
import type { PrivatePostgres } from '../examples/private-postgres.ts';
import type { Contender } from './contender.ts';

/** What the server takes for one account, its index, and its share of the other tables. */
const bytesPerAccount = 290;

/** Fills database `name` with tables like pgbench's and one of documents, the same on every machine. */
export async function makeDatabase(server: PrivatePostgres, name: string, sizeBytes: number): Promise<void> {
  await query(server.url('postgres'), `create database ${name}`);
  const accounts = Math.max(Math.floor(sizeBytes / bytesPerAccount), 1000);
  for (const statement of [
    'create table branches (bid int primary key, bbalance int not null, filler char(88))',
    'create table accounts (aid int primary key, bid int not null references branches, abalance int not null, filler char(84))',
    `create table history (hid bigint primary key, aid int not null references accounts, delta int not null,
       mtime timestamptz not null, note text)`,
    'create table documents (did int primary key, body jsonb not null)',
    `insert into branches select i, i * 37 % 1000, '' from generate_series(1, 100) i`,
    `insert into accounts select i, i % 100 + 1, hashint4(i) % 100000,
       case when i % 2 = 0 then md5(i::text) || md5((-i)::text) end from generate_series(1, ${accounts}) i`,
    `insert into history select i, i::bigint * 7919 % ${accounts} + 1, hashint4(i) % 5000,
       timestamptz '2026-01-01 00:00Z' + i * interval '1.7 seconds',
       case when i % 3 = 0 then 'transfer ' || md5(i::text) end from generate_series(1, ${Math.floor(accounts / 2)}) i`,
    `insert into documents select i, jsonb_build_object('number', i, 'customer', 'Customer ' || hashint4(i) % 5000,
       'lines', jsonb_build_array(md5(i::text), 'Berth, per night', i % 17), 'paid', i % 3 = 0)
       from generate_series(1, ${Math.floor(accounts / 5)}) i`,
    'create index history_account on history (aid)',
    'vacuum analyze',
  ]) {
    await query(server.url(name), statement);
  }
}

/** Updates 1 % of the accounts, in one stretch, as a day's work touches the recent ones. */
export async function changeDatabase(server: PrivatePostgres, name: string, round: number): Promise<void> {
  const [found] = await query<{ many: number }>(server.url(name), 'select count(*)::int as many from accounts');
  const length = Math.ceil(found!.many / 100);
  const from = (round * 17 * length) % Math.max(found!.many - length, 1);
  await query(
    server.url(name),
    `update accounts set abalance = abalance + ${round + 1} where aid between ${from + 1} and ${from + length}`,
  );
}

export async function databaseBytes(server: PrivatePostgres, name: string): Promise<number> {
  const [found] = await query<{ bytes: string }>(
    server.url(name),
    'select pg_database_size(current_database()) as bytes',
  );
  return Number(found!.bytes);
}

/** What a kind of server does with databases, each by its URL. */
export interface DatabasePlaces {
  create(name: string): Promise<string>;
  drop(url: string): Promise<void>;
  /** The same for two that hold the same. */
  digest(url: string): Promise<string>;
}

/** Places to restore to, compared with the database at `source`. */
export function databaseTargets({ create, drop, digest }: DatabasePlaces, source: string) {
  let made = 0;
  return {
    emptyTarget: () => create(`restored${made++}`),
    removeTarget: drop,
    async compareTarget(contender: Contender, target: string) {
      const [expected, actual] = [await digest(source), await digest(target)];
      if (expected !== actual) throw new Error(`${contender.name} restored something else: ${actual}, not ${expected}`);
    },
  };
}

export function postgresPlaces(server: PrivatePostgres): DatabasePlaces {
  return {
    async create(name) {
      await query(server.url('postgres'), `create database ${name}`);
      return server.url(name);
    },
    async drop(url) {
      await query(server.url('postgres'), `drop database ${nameIn(url)} with (force)`);
    },
    digest,
  };
}

/** Rows and a checksum of every table. */
async function digest(url: string): Promise<string> {
  const found: string[] = [];
  for (const table of ['branches', 'accounts', 'history', 'documents']) {
    const [row] = await query<{ many: string; sum: string }>(
      url,
      `select count(*) as many, sum(hashtextextended(t::text, 0)) as sum from ${table} t`,
    );
    found.push(`${table} ${row!.many} ${row!.sum}`);
  }
  return found.join(', ');
}

function nameIn(url: string): string {
  return new URL(url).pathname.slice(1);
}

async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
