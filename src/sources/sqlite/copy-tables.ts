import { constants, DatabaseSync } from 'node:sqlite';
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
  using database = new DatabaseSync(into, {
    timeout: BUSY_TIMEOUT_MS,
    enableForeignKeyConstraints: false,
    allowExtension: false,
    defensive: true,
  });
  database.exec('PRAGMA trusted_schema = OFF');
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
    for (const object of objects.filter(({ type }) => type === 'table')) define(database, object, table);
    rows += copyRows(database, table);
    // Triggers last: they did their work when the rows were first written.
    for (const object of objects.filter(({ type }) => type !== 'table')) define(database, object, table);
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
function objectsOf(database: DatabaseSync, schema: string, table: string): SchemaObject[] {
  return database
    .prepare(
      `SELECT type, name, sql FROM ${schema}.sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC`,
    )
    .all(table)
    .filter((row) => row.type !== 'view')
    .map((row) => ({ type: String(row.type), name: String(row.name), sql: String(row.sql) }));
}

interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

const makes = new Map([
  ['table', constants.SQLITE_CREATE_TABLE],
  ['index', constants.SQLITE_CREATE_INDEX],
  ['trigger', constants.SQLITE_CREATE_TRIGGER],
]);
/** What making any of them does besides: it writes the schema, looks at rows, and calls functions that an index is made of. */
const besides = new Set([
  ...[constants.SQLITE_INSERT, constants.SQLITE_UPDATE, constants.SQLITE_DELETE, constants.SQLITE_READ],
  ...[constants.SQLITE_SELECT, constants.SQLITE_FUNCTION, constants.SQLITE_REINDEX],
]);
const schemaTables = new Set(['sqlite_master', 'sqlite_schema', 'sqlite_sequence']);
const writes = new Set([constants.SQLITE_INSERT, constants.SQLITE_UPDATE, constants.SQLITE_DELETE]);

/**
 * The schema is text that anyone who could write the database may have put there. It is compiled as the one statement that it
 * has to be, which makes the object of this very name and touches nothing else; it is never executed as a script.
 */
function define(database: DatabaseSync, { type, name, sql }: SchemaObject, table: string): void {
  const refuse = () => new Error(`the definition of ${name} is none: it does something else`);
  const same = (a: string | null, b: string) => a?.toLowerCase() === b.toLowerCase();
  let made = 0;
  database.setAuthorizer((action, first, second, schema) => {
    if (action === makes.get(type) && schema === 'main' && same(first, name)) {
      if (type !== 'table' && !same(second, table)) return constants.SQLITE_DENY;
      made++;
      return constants.SQLITE_OK;
    }
    // AUTOINCREMENT's counters, and a primary key's or unique column's own index.
    if (type === 'table' && action === constants.SQLITE_CREATE_TABLE && first === 'sqlite_sequence') {
      return constants.SQLITE_OK;
    }
    if (type === 'table' && action === constants.SQLITE_CREATE_INDEX && same(second, name)) return constants.SQLITE_OK;
    if (!besides.has(action)) return constants.SQLITE_DENY;
    if (writes.has(action) && !schemaTables.has(String(first))) return constants.SQLITE_DENY;
    return constants.SQLITE_OK;
  });
  try {
    const statement = database.prepare(sql);
    // SQLite compiles up to the end of the first statement, and says which text that was.
    if (made !== 1 || statement.sourceSQL.trim() !== sql.trim()) throw refuse();
    statement.run();
  } catch (error) {
    if (!/not authorized/.test(String(error))) throw error;
    throw new Error(refuse().message, { cause: error });
  } finally {
    database.setAuthorizer(null);
  }
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
