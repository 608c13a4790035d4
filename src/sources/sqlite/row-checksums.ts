import { hash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { sentenceOf } from '../../core/errors.ts';
import type { Expectations, NotCompared, TableExpectation } from '../../core/expectations.ts';
import { withinRoom } from '../../core/sample.ts';
import { type RowSample, startRowSample } from './row-sample.ts';

/**
 * `sqlite-rowtext-1`. Per table the exact number of rows and the sum, over rows, of the SHA-256 of the row's text, in four
 * lanes of 32 bits. A row's text is its columns in order, each followed by a comma: `n` for NULL, `i` and the integer, `r` and
 * the real as SQL's quote() writes it (exact), `t`, the size in bytes, `:` and the text, `b` and the blob in hexadecimal. So
 * 1, 1.0, '1' and x'31' differ, and no two rows share a text.
 *
 * Every table with pages of its own counts: WITHOUT ROWID ones, SQLite's own (sqlite_sequence), the shadow tables of virtual
 * ones. Virtual tables themselves do not (their module may not be here), nor virtual generated columns (they are computed).
 * `sqlite_schema` stands for all definitions: its rows are type, name, table and SQL of each object. A table that cannot even be
 * counted here is not among them: it is in `notCompared`.
 */
export function expectationsOf(database: DatabaseSync): { expectations: Expectations; notCompared: NotCompared[] } {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name");
  const names = tables.all().map((row) => String(row.name));
  const measured = [
    checksumRows(database, 'sqlite_schema', ['type', 'name', 'tbl_name', 'sql'].map(quoteName)),
    ...names.map((name) => measureTable(database, name)),
  ];
  const counted = measured.flatMap((one): TableExpectation[] => ('rows' in one ? [one] : []));
  return {
    expectations: { algorithm: 'sqlite-rowtext-1', tables: withinRoom(counted) },
    notCompared: measured.flatMap((one) => ('rows' in one ? [] : [one])),
  };
}

function measureTable(database: DatabaseSync, name: string): TableExpectation | NotCompared {
  const columns = database
    .prepare('SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden IN (0, 3) ORDER BY cid')
    .all(name)
    .map((row) => ({ name: String(row.name), pk: Number(row.pk) }));
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  // SQLite's own, and those of an index that is a table, are written anew as it likes.
  const isOwn = name.startsWith('sqlite_') || isShadow(database, name);
  const sample = isOwn
    ? undefined
    : startRowSample(
        columns.map((column) => column.name),
        key.map((column) => column.name),
      );
  return checksumRows(
    database,
    name,
    columns.map((column) => quoteName(column.name)),
    sample,
  );
}

function isShadow(database: DatabaseSync, name: string): boolean {
  const found = database.prepare("SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?").get(name);
  return found?.type === 'shadow';
}

function checksumRows(
  database: DatabaseSync,
  name: string,
  columns: readonly string[],
  sample?: RowSample,
): TableExpectation | NotCompared {
  const table = displayName(name);
  const lanes = new Uint32Array(4);
  let rows = 0;
  try {
    const statement = database.prepare(`SELECT CAST(${rowText(columns)} AS BLOB) FROM main.${quoteName(name)}`);
    statement.setReturnArrays(true);
    for (const row of statement.iterate() as Iterable<unknown>) {
      const [text] = row as [Uint8Array];
      const digest = hash('sha256', text, 'buffer');
      sample?.add(text);
      for (let lane = 0; lane < 4; lane++) lanes[lane]! += digest.readUInt32LE(lane * 4);
      rows++;
    }
  } catch (error) {
    // A row whose text is longer than SQLite allows, or a damaged page: the rows may still be counted. A count that failed is none.
    const counted = countRows(database, name);
    return { table, reason: reasonOf(error), ...(counted !== undefined && { rows: counted }) };
  }
  const checksum = Array.from(lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
  return { table, rows, checksum, ...(sample && rows > 0 && { sample: sample.sample() }) };
}

/** SQLite's planner has no words for a key that it cannot compare. */
function reasonOf(error: unknown): string {
  const sentence = sentenceOf(error);
  return sentence === 'no query solution' ? "its key has a collation of the application's own" : sentence;
}

function countRows(database: DatabaseSync, name: string): number | undefined {
  try {
    return Number(database.prepare(`SELECT count(*) AS n FROM main.${quoteName(name)}`).get()?.n);
  } catch {
    return undefined;
  }
}

/** A function takes at most 1000 arguments, an expression nests at most 1000 deep, a table has up to 2000 columns. */
const GROUP = 100;

function rowText(columns: readonly string[]): string {
  const groups: string[] = [];
  for (let at = 0; at < columns.length; at += GROUP) {
    groups.push(
      `concat(${columns
        .slice(at, at + GROUP)
        .map(columnText)
        .join(',')})`,
    );
  }
  return groups.length === 1 ? groups[0]! : `concat(${groups.join(',')})`;
}

function columnText(column: string): string {
  return (
    `CASE typeof(${column}) WHEN 'null' THEN 'n,' WHEN 'integer' THEN 'i'||${column}||','` +
    ` WHEN 'real' THEN 'r'||quote(${column})||','` +
    ` WHEN 'text' THEN 't'||octet_length(${column})||':'||${column}||',' ELSE 'b'||hex(${column})||',' END`
  );
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** As one would write it in SQL. */
function displayName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quoteName(name);
}
