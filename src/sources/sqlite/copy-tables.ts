import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { openCopy } from './open.ts';
import { quoteName } from './row-checksums.ts';

export interface TableCopy {
  /** A database that nobody else has open. */
  readonly from: string;
  /** Made when absent; else its tables of these names are replaced, in one transaction. */
  readonly into: string;
  /** As the database spells them. */
  readonly tables: readonly string[];
}

export interface CopiedTables {
  readonly rows: number;
  /** Foreign keys that lead nowhere afterwards. */
  readonly dangling: number;
}

const BUSY_TIMEOUT_MS = 60_000;

/** Copies tables with their rows, indexes and triggers from one database into another: all of them, or none. */
export function copyTables({ from, into, tables }: TableCopy): CopiedTables {
  using database = new DatabaseSync(into, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  takeOverForm(database, from);
  const source = pathToFileURL(from);
  source.searchParams.set('immutable', '1');
  database.prepare('ATTACH ? AS backup').run(source.href);
  database.exec('BEGIN IMMEDIATE');
  let rows = 0;
  let dangling = 0;
  for (const table of tables) {
    const objects = objectsOf(database, 'backup', table);
    // Dropping a table drops its indexes and triggers; views and other tables' triggers and keys that name it stay.
    database.exec(`DROP TABLE IF EXISTS main.${quoteName(table)}`);
    for (const { sql } of objects.filter(({ type }) => type === 'table')) database.exec(sql);
    rows += copyRows(database, table);
    // Triggers last: they did their work when the rows were first written.
    for (const { sql } of objects.filter(({ type }) => type !== 'table')) database.exec(sql);
    copySequence(database, table);
  }
  for (const table of tables) {
    const found = database.prepare('SELECT count(*) AS n FROM pragma_foreign_key_check(?)').get(table);
    dangling += Number(found?.n ?? 0);
  }
  database.exec('COMMIT');
  return { rows, dangling };
}

/** A new database gets the page size and encoding of the old one; both are fixed by the first table. */
function takeOverForm(database: DatabaseSync, from: string): void {
  if (Number(database.prepare('PRAGMA page_count').get()?.page_count) > 0) return;
  using backup = openCopy(from);
  for (const name of ['page_size', 'encoding']) {
    database.exec(`PRAGMA ${name} = '${backup.prepare(`PRAGMA ${name}`).get()?.[name]}'`);
  }
}

/** The table itself first, then its indexes and triggers. Those that SQLite makes by itself have no SQL. */
function objectsOf(database: DatabaseSync, schema: string, table: string): { type: string; sql: string }[] {
  return database
    .prepare(
      `SELECT type, sql FROM ${schema}.sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC`,
    )
    .all(table)
    .filter((row) => row.type !== 'view')
    .map((row) => ({ type: String(row.type), sql: String(row.sql) }));
}

function copyRows(database: DatabaseSync, table: string): number {
  const info = database.prepare("SELECT name, hidden FROM pragma_table_xinfo(?, 'backup') ORDER BY cid").all(table);
  const names = info.map((row) => String(row.name));
  const columns = info.filter((row) => row.hidden === 0).map((row) => quoteName(String(row.name)));
  const rowid = rowidOf(database, table, names);
  if (rowid !== undefined) columns.unshift(rowid);
  const list = columns.join(', ');
  const name = quoteName(table);
  const done = database.prepare(`INSERT INTO main.${name} (${list}) SELECT ${list} FROM backup.${name}`).run();
  return Number(done.changes);
}

/** A name under which the table's rowid can be set, so that it stays what it was: something may refer to it. */
function rowidOf(database: DatabaseSync, table: string, columns: readonly string[]): string | undefined {
  const found = database.prepare("SELECT wr FROM pragma_table_list WHERE schema = 'backup' AND name = ?").get(table);
  if (found?.wr !== 0) return undefined;
  const taken = new Set(columns.map((column) => column.toLowerCase()));
  return ['rowid', '_rowid_', 'oid'].find((alias) => !taken.has(alias));
}

function copySequence(database: DatabaseSync, table: string): void {
  const has = (schema: string) =>
    database.prepare(`SELECT 1 FROM ${schema}.sqlite_schema WHERE name = 'sqlite_sequence'`).get() !== undefined;
  if (!has('backup') || !has('main')) return;
  database.prepare('DELETE FROM main.sqlite_sequence WHERE name = ?').run(table);
  database
    .prepare('INSERT INTO main.sqlite_sequence SELECT name, seq FROM backup.sqlite_sequence WHERE name = ?')
    .run(table);
}
