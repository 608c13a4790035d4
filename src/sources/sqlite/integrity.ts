import type { DatabaseSync } from 'node:sqlite';
import { sentenceOf } from '../../core/errors.ts';
import type { Measurement } from '../source.ts';
import { quoteName } from './row-checksums.ts';

type Finding = Measurement['integrity'][number];

/** Defects that are quoted; SQLite stops looking after a hundred. */
const QUOTED = 5;

/** What an index or a constraint may need of the application and we do not have. */
const needsApplication = /no such (function|collation sequence|module)|unknown function/i;

export function checkIntegrity(database: DatabaseSync, depth: 'quick' | 'full'): Finding {
  const name = depth === 'full' ? 'integrity_check' : 'quick_check';
  const looked = Number(database.prepare('PRAGMA page_count').get()?.page_count ?? 0);
  try {
    const defects = textsOf(database, `PRAGMA ${name}`).filter((text) => text !== 'ok');
    return { name, ok: defects.length === 0, looked, detail: defects.length === 0 ? 'ok' : quote(defects) };
  } catch (error) {
    if (!needsApplication.test(sentenceOf(error))) return { name, ok: false, looked, detail: sentenceOf(error) };
    return checkTables(database, name);
  }
}

/** Table by table: those with functions or collations of the application's own cannot be checked here, and that is said. */
function checkTables(database: DatabaseSync, name: string): Finding {
  const tables = textsOf(database, "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0");
  const defects: string[] = [];
  const unchecked: string[] = [];
  for (const table of tables) {
    try {
      defects.push(...textsOf(database, `PRAGMA ${name}(${quoteName(table)})`).filter((text) => text !== 'ok'));
    } catch (error) {
      if (needsApplication.test(sentenceOf(error))) unchecked.push(table);
      else defects.push(`${table}: ${sentenceOf(error)}`);
    }
  }
  const left =
    unchecked.length === 0 ? '' : ` (not checked, they use the application's own functions: ${unchecked.join(', ')})`;
  const detail = (defects.length === 0 ? 'ok' : quote(defects)) + left;
  return { name, ok: defects.length === 0, looked: tables.length - unchecked.length, detail };
}

export function checkForeignKeys(database: DatabaseSync): Finding {
  const name = 'foreign_key_check';
  const looked = Number(
    database
      .prepare("SELECT count(*) AS n FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) WHERE t.type = 'table'")
      .get()?.n ?? 0,
  );
  try {
    let count = 0;
    const named: string[] = [];
    for (const row of database.prepare('PRAGMA foreign_key_check').iterate()) {
      count++;
      if (named.length < QUOTED)
        named.push(`${row.table} row ${row.rowid ?? '?'} refers to a missing row of ${row.parent}`);
    }
    const more = count > named.length ? `, and ${count - named.length} more` : '';
    return { name, ok: count === 0, looked, detail: count === 0 ? 'ok' : named.join(', ') + more };
  } catch (error) {
    // A key that names a table or column that is not there: the application could never have used it.
    return { name, ok: false, looked, detail: sentenceOf(error) };
  }
}

function textsOf(database: DatabaseSync, sql: string): string[] {
  return database
    .prepare(sql)
    .all()
    .map((row) => String(Object.values(row)[0]));
}

function quote(defects: readonly string[]): string {
  const shown = defects.slice(0, QUOTED).join('; ');
  return defects.length > QUOTED ? `${shown}; and ${defects.length - QUOTED} more` : shown;
}
