import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { expectationsOf, quoteName } from './row-checksums.ts';

function open(sql: string): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  database.exec(sql);
  return database;
}

function checksums(sql: string): Record<string, string | undefined> {
  using database = open(sql);
  return Object.fromEntries(
    expectationsOf(database).expectations.tables.map(({ table, checksum }) => [table, checksum]),
  );
}

const sum = (sql: string) => checksums(`CREATE TABLE t (a, b); ${sql}`).t;

describe('the checksum of a table', () => {
  test('does not depend on the order of rows', () => {
    expect(sum("INSERT INTO t VALUES (1, 'x'), (2, 'y')")).toBe(sum("INSERT INTO t VALUES (2, 'y'), (1, 'x')"));
  });

  test('tells apart what SQL takes for alike', () => {
    const values = [
      'NULL',
      '0',
      '1',
      '1.0',
      "'1'",
      "x'31'",
      "''",
      "x''",
      "'NULL'",
      "'a'||char(0)||'b'",
      "'a'",
      "'a'||char(0)",
      '9223372036854775807',
      '9223372036854775806',
      '-9223372036854775808',
      '9007199254740993',
      '9007199254740992',
      '9e999',
      '-9e999',
      '0.1',
      '0.1 + 0.2',
      '0.3',
      "CAST(x'ff' AS TEXT)",
      "CAST(x'fe' AS TEXT)",
      "'é'",
      "'e' || char(769)",
    ];
    const seen = values.map((value) => sum(`INSERT INTO t VALUES (${value}, 0)`));
    expect(new Set(seen).size).toBe(values.length);
  });

  test('does not confuse columns, nor one row twice with another', () => {
    const all = [
      "('a,tb', 'c')",
      "('a', 'b,tc')",
      "('a,b', '')",
      "('a', 'b')",
      "('', 'a,b')",
      "('a', 'b'), ('a', 'b')",
      "('a', 'b'), ('a', NULL)",
    ];
    expect(new Set(all.map((values) => sum(`INSERT INTO t VALUES ${values}`))).size).toBe(all.length);
  });

  test('any two different sets of rows have different checksums', () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.double({ noNaN: true }),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 20 }),
    );
    const rows = fc.array(fc.tuple(value, value), { maxLength: 6 });
    const of = (content: [unknown, unknown][]) => {
      using database = open('CREATE TABLE t (a, b)');
      const insert = database.prepare('INSERT INTO t VALUES (?, ?)');
      for (const row of content) insert.run(...(row as [null, null]));
      const read = database.prepare('SELECT typeof(a), quote(a), hex(a), typeof(b), quote(b), hex(b) FROM t');
      const canonical = read
        .all()
        .map((row) => JSON.stringify(Object.values(row)))
        .sort()
        .join();
      return { canonical, table: expectationsOf(database).expectations.tables.find(({ table }) => table === 't')! };
    };
    fc.assert(
      fc.property(rows, rows, (left, right) => {
        const [a, b] = [of(left), of(right)];
        expect(a.table.rows).toBe(left.length);
        expect(a.table.checksum === b.table.checksum).toBe(a.canonical === b.canonical);
        expect(of([...left].reverse()).table).toEqual(a.table);
      }),
      { numRuns: 150 },
    );
  });
});

test('tables with any name, shape and number of columns are counted', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 12, unit: 'binary' })
    .filter((text) => !/^sqlite_|\0/i.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(
      name,
      fc.uniqueArray(name, { minLength: 1, maxLength: 5, selector: (text) => text.toLowerCase() }),
      fc.boolean(),
      (table, columns, withoutRowid) => {
        const list = columns.map(quoteName);
        using database = open(
          `CREATE TABLE ${quoteName(table)} (${list.join(', ')}, PRIMARY KEY (${list[0]})) ${withoutRowid ? 'WITHOUT ROWID' : ''};
         INSERT INTO ${quoteName(table)} (${list[0]}) VALUES (1), ('x')`,
        );
        const found = expectationsOf(database).expectations.tables.at(-1);
        expect(found?.reason).toBeUndefined();
        expect(found).toMatchObject({ rows: 2, checksum: expect.stringMatching(/^[0-9a-f]{32}$/) });
      },
    ),
    { numRuns: 150 },
  );
});

test('a table as wide as SQLite allows', () => {
  const columns = Array.from({ length: 2000 }, (_, at) => `c${at}`);
  using database = open(`CREATE TABLE wide (${columns.join(', ')}); INSERT INTO wide (c1999) VALUES ('last')`);
  expect(expectationsOf(database).expectations.tables.at(-1)).toMatchObject({
    table: 'wide',
    rows: 1,
    checksum: expect.any(String),
  });
});

test('definitions count, views and virtual tables do not, the tables behind those do', () => {
  const before = checksums('CREATE TABLE t (a)');
  const after = checksums('CREATE TABLE t (a); CREATE INDEX i ON t (a)');
  expect(after.t).toBe(before.t);
  expect(after.sqlite_schema).not.toBe(before.sqlite_schema);
  const tables = Object.keys(
    checksums(
      "CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('text')",
    ),
  );
  expect(tables).toEqual(expect.arrayContaining(['n', 'sqlite_sequence', 'f_content', 'f_data']));
  expect(tables).not.toEqual(expect.arrayContaining(['f']));
  expect(tables).not.toEqual(expect.arrayContaining(['v']));
});

test('generated columns do not hinder, also when they use a function that only the application has', () => {
  using database = open('CREATE TABLE t (a, b AS (a * 2) VIRTUAL, c AS (a * 3) STORED); INSERT INTO t VALUES (1), (2)');
  expect(expectationsOf(database).expectations.tables.at(-1)).toMatchObject({ rows: 2, checksum: expect.any(String) });
  database.function('secret', { deterministic: true }, (value) => value);
  database.exec('CREATE TABLE u (a, b AS (secret(a)) VIRTUAL); INSERT INTO u VALUES (1)');
  expect(expectationsOf(database).expectations.tables.at(-1)).toMatchObject({
    table: 'u',
    rows: 1,
    checksum: expect.any(String),
  });
});
