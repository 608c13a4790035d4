import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { sentenceOf } from '../../core/errors.ts';
import { countOf } from '../../core/size.ts';
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
    if (defects.length === 0) return { name, ok: true, looked, detail: 'ok' };
    return { name, ok: false, looked, detail: quote(defects) + whereabouts(database, name) };
  } catch (error) {
    if (!needsApplication.test(sentenceOf(error)))
      return { name, ok: false, looked, detail: sentenceOf(error) + whereabouts(database, name) };
    return checkTables(database, name);
  }
}

/** Defects are named by numbers of pages; people know tables. */
function whereabouts(database: DatabaseSync, name: string): string {
  const isDamaged = (table: string) => {
    try {
      return textsOf(database, `PRAGMA ${name}(${quoteName(table)})`).some((text) => text !== 'ok');
    } catch {
      return true;
    }
  };
  try {
    const damaged = textsOf(database, tablesWithPages).filter(isDamaged);
    return damaged.length === 0 ? '' : ` (in ${damaged.slice(0, QUOTED).join(', ')})`;
  } catch {
    return '';
  }
}

const tablesWithPages = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0";

/** Table by table: those with functions or collations of the application's own cannot be checked here, and that is said. */
function checkTables(database: DatabaseSync, name: string): Finding {
  const tables = textsOf(database, tablesWithPages);
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

/** SQLite enforces no reference unless an application asks for it, so many a sound database has some that lead nowhere. */
const foreignKeys = z.object({
  keys: z.number(),
  /** How many rows of a table refer to rows of `parent` that are not there. */
  dangling: z.array(z.object({ table: z.string(), parent: z.string(), rows: z.number() })),
  /** A key that names what nothing can refer to, or that takes the application to compare. */
  uncheckable: z.array(z.object({ table: z.string(), why: z.string() })),
});
export type ForeignKeys = z.infer<typeof foreignKeys>;
type Dangling = ForeignKeys['dangling'][number];

/** As a capture recorded them; undefined where it did not. */
export function recordedKeys(facts: Readonly<Record<string, unknown>> = {}): ForeignKeys | undefined {
  return foreignKeys.safeParse(facts.foreignKeys).data;
}

export function foreignKeysOf(database: DatabaseSync): ForeignKeys {
  const keysOf = "SELECT t.name FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) WHERE t.type = 'table'";
  const referring = textsOf(database, keysOf);
  const dangling: ForeignKeys['dangling'] = [];
  const uncheckable: ForeignKeys['uncheckable'] = [];
  for (const table of new Set(referring)) {
    try {
      const counts = new Map<string, number>();
      for (const { parent } of database.prepare(`PRAGMA foreign_key_check(${quoteName(table)})`).iterate())
        counts.set(String(parent), (counts.get(String(parent)) ?? 0) + 1);
      for (const [parent, rows] of counts) dangling.push({ table, parent, rows });
    } catch (error) {
      uncheckable.push({ table, why: sentenceOf(error) });
    }
  }
  return { keys: referring.length, dangling, uncheckable };
}

/** The copy's references held against the source's: what dangled there may dangle here, and nothing else. */
export function checkForeignKeys(found: ForeignKeys, recorded: ForeignKeys | undefined): Finding {
  const has = (one: Dangling) =>
    recorded?.dangling.some((was) => was.table === one.table && was.parent === one.parent && was.rows === one.rows);
  const fails = (one: ForeignKeys['uncheckable'][number]) =>
    recorded?.uncheckable.some((was) => was.table === one.table);
  const news = [
    ...found.dangling.filter((one) => !has(one)).map(inWords),
    ...found.uncheckable.filter((one) => !fails(one)).map(({ table, why }) => `${table}: ${why}`),
  ];
  const same = [...found.dangling.map(inWords), ...found.uncheckable.map(({ table, why }) => `${table}: ${why}`)];
  const detail = news.length > 0 ? quote(news) : same.length > 0 ? `as in the source: ${quote(same)}` : 'ok';
  return { name: 'foreign_key_check', ok: news.length === 0, looked: found.keys, detail };
}

function inWords({ table, parent, rows }: Dangling): string {
  return `${countOf(rows, 'row')} of ${table} ${rows === 1 ? 'refers' : 'refer'} to a missing row of ${parent}`;
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
