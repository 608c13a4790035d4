import type { Harm } from '../sabotage.ts';

/** A way to break a database. `find` is asked in it: each row is something that could be hurt. */
export interface Way {
  readonly name: string;
  readonly harm: Harm;
  readonly find: string;
  readonly absent: string;
  /** It cannot be tried and taken back. */
  readonly isUntried?: boolean;
}

export interface Target {
  readonly name: string;
  readonly what: string;
  /** SQL; or what is done to the file itself: `truncate`, or bytes from `at` on. */
  readonly strike: string;
  readonly at?: number;
  readonly count?: number;
}

const tables =
  "FROM sqlite_schema s WHERE s.type = 'table' AND s.rootpage > 0 AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const table = `printf('"%w"', s.name)`;

function tableWay(name: string, strike: string): Way {
  const find = `SELECT s.name AS name, s.name AS what, replace('${strike.replaceAll("'", "''")}', '%t', ${table}) AS strike ${tables}`;
  return { name, harm: 'rows', find, absent: 'it has no table with rows' };
}

function valueWay(name: string, absent: string, set: string, where: string): Way {
  const strike = `UPDATE %t SET %c = ${set} WHERE rowid = (SELECT rowid FROM %t WHERE ${where} LIMIT 1)`;
  const find = `SELECT s.name AS name, s.name || ', column ' || c.name AS what,
      replace(replace('${strike.replaceAll("'", "''")}', '%t', ${table}), '%c', printf('"%w"', c.name)) AS strike
    ${tables.replace('WHERE', 'JOIN pragma_table_xinfo(s.name) c WHERE c.hidden = 0 AND c.pk = 0 AND')}`;
  return { name, harm: 'rows', find, absent };
}

const rows: readonly Way[] = [
  { ...tableWay('a table is lost', 'DROP TABLE %t'), absent: 'it has no table' },
  tableWay('a table is empty', 'DELETE FROM %t'),
  tableWay('a row is lost', 'DELETE FROM %t WHERE rowid = (SELECT min(rowid) FROM %t)'),
  tableWay(
    'the last half of the rows is lost',
    'DELETE FROM %t WHERE rowid >= (SELECT (min(rowid) + max(rowid) + 1) / 2 FROM %t)',
  ),
  {
    ...tableWay('a row is there twice', 'INSERT INTO %t SELECT * FROM %t LIMIT 1'),
    absent: 'it has no table with rows and without a key',
  },
  valueWay(
    'a letter is another',
    'it has no text',
    "CASE substr(%c, 1, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(%c, 2)",
    "typeof(%c) = 'text' AND %c <> ''",
  ),
  valueWay(
    'a text is cut short',
    'it has no text of two letters',
    'substr(%c, 1, length(%c) - 1)',
    "typeof(%c) = 'text' AND length(%c) > 1",
  ),
  valueWay(
    'a letter beyond ASCII is a question mark',
    'it has no text that begins with one',
    "'?' || substr(%c, 2)",
    "typeof(%c) = 'text' AND unicode(%c) > 127",
  ),
  valueWay('a value is NULL', 'it has no value that may be NULL', 'NULL', '%c IS NOT NULL'),
  valueWay('a NULL is an empty text', 'it has no NULL', "''", '%c IS NULL'),
  valueWay(
    'a number is a hundred times as large',
    'it has no number but keys',
    '%c * 100',
    "typeof(%c) IN ('integer', 'real') AND %c <> 0",
  ),
  valueWay('a number is one more', 'it has no number but keys', '%c + 1', "typeof(%c) = 'integer'"),
  valueWay(
    'a time is shifted by a zone',
    'it has no time as text',
    "datetime(%c, '+2 hours')",
    "%c GLOB '????-??-??[ T]??:??*' AND datetime(%c) IS NOT NULL",
  ),
  valueWay(
    'bytes are zeros',
    'it has no bytes',
    'zeroblob(length(%c))',
    "typeof(%c) = 'blob' AND %c <> zeroblob(length(%c))",
  ),
  {
    ...tableWay('a counter is set back', ''),
    find: `SELECT 'sqlite_sequence' AS name, 'sqlite_sequence' AS what, 'UPDATE sqlite_sequence SET seq = 0 WHERE seq > 0' AS strike
      FROM sqlite_schema WHERE name = 'sqlite_sequence'`,
    absent: 'it has no AUTOINCREMENT',
  },
];

function objectWay(name: string, absent: string, strike: string, condition: string): Way {
  const find = `SELECT s.name AS name, s.type || ' ' || s.name AS what, ${strike} AS strike FROM sqlite_schema s WHERE ${condition}`;
  return { name, harm: 'definition', find, absent };
}

const written = (from: string, to: string) =>
  `printf('PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ''%s'', ''%s'') WHERE type = ''table'' AND name = %Q', '${from}', '${to}', s.name)`;

const definitions: readonly Way[] = [
  objectWay(
    'an index is lost',
    'it has no index but those of keys',
    `printf('DROP INDEX "%w"', s.name)`,
    "type = 'index' AND sql IS NOT NULL",
  ),
  objectWay(
    'a unique index is no longer unique',
    'it has no unique index but those of keys',
    `printf('DROP INDEX "%w"; %s', s.name, replace(replace(sql, 'UNIQUE ', ''), 'unique ', ''))`,
    "type = 'index' AND sql LIKE 'create unique %'",
  ),
  objectWay('a trigger is lost', 'it has no trigger', `printf('DROP TRIGGER "%w"', s.name)`, "type = 'trigger'"),
  objectWay('a view is lost', 'it has no view', `printf('DROP VIEW "%w"', s.name)`, "type = 'view'"),
  objectWay(
    'a view shows nothing',
    'it has no view',
    `printf('DROP VIEW "%w"; CREATE VIEW "%w" AS SELECT 1 WHERE 0', s.name, s.name)`,
    "type = 'view'",
  ),
  objectWay(
    'a column may be NULL',
    'it has no column that may not be NULL',
    written('NOT NULL', ''),
    "type = 'table' AND sql LIKE '%NOT NULL%'",
  ),
  objectWay(
    'a column has another name',
    'it has no table',
    `printf('ALTER TABLE "%w" RENAME COLUMN "%w" TO named_by_nobody', s.name, (SELECT name FROM pragma_table_xinfo(s.name) ORDER BY cid DESC LIMIT 1))`,
    "type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  ),
  {
    ...{ name: 'a table is there that nobody made', harm: 'definition', absent: '' },
    find: "SELECT 'made_by_nobody' AS name, 'the database' AS what, 'CREATE TABLE made_by_nobody (a)' AS strike",
  },
  ...['user_version', 'application_id'].map(
    (pragma): Way => ({
      ...{ name: `${pragma} is another`, harm: 'definition', absent: '' },
      find: `SELECT '${pragma}' AS name, '${pragma}' AS what, printf('PRAGMA ${pragma} = %d', ${pragma} + 1) AS strike FROM pragma_${pragma}`,
    }),
  ),
  {
    ...{ name: 'the journal is of another kind', harm: 'definition', isUntried: true, absent: '' },
    find: `SELECT 'journal_mode' AS name, 'journal_mode' AS what,
      printf('PRAGMA journal_mode = %s', CASE journal_mode WHEN 'wal' THEN 'delete' ELSE 'wal' END) AS strike FROM pragma_journal_mode`,
  },
];

const page = '(SELECT page_size FROM pragma_page_size)';
const pages = (name: string, type: string, at: string, count: string): Way => ({
  ...{ name, harm: 'storage', isUntried: true, absent: `it has no ${type} of its own` },
  find: `SELECT s.tbl_name AS name, s.type || ' ' || s.name AS what, 'overwrite' AS strike, (rootpage - 1) * ${page} + ${at} AS at, ${count} AS count
    FROM sqlite_schema s WHERE type = '${type}' AND rootpage > 1 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rootpage`,
});

const storage: readonly Way[] = [
  pages("a table's page is damaged", 'table', '0', '100'),
  pages("an index's page is damaged", 'index', '0', '100'),
  {
    ...{ name: 'bytes of a row are others', harm: 'rows', isUntried: true, absent: 'it has no table with rows' },
    find: `SELECT d.name AS name, d.name || ', page ' || pageno AS what, 'overwrite' AS strike, pageno * ${page} - 20 AS at, 4 AS count
      FROM dbstat d WHERE pagetype = 'leaf' AND ncell > 0 AND d.name IN (SELECT s.name ${tables}) ORDER BY d.name, pageno DESC`,
  },
  {
    ...{ name: 'the header is damaged', harm: 'storage', isUntried: true, absent: '' },
    find: "SELECT 'database' AS name, 'the first bytes' AS what, 'overwrite' AS strike, 0 AS at, 16 AS count",
  },
  {
    ...{ name: 'the second half of the file is lost', harm: 'storage', isUntried: true, absent: 'it has one page' },
    find: `SELECT 'database' AS name, 'the file' AS what, 'truncate' AS strike, (page_count / 2) * ${page} AS at FROM pragma_page_count WHERE page_count > 1`,
  },
  {
    ...{ name: 'the file is empty', harm: 'rows', isUntried: true, absent: 'it has no table' },
    find: `SELECT s.name AS name, 'the file' AS what, 'truncate' AS strike, 0 AS at ${tables}`,
  },
];

export const ways: readonly Way[] = [...rows, ...definitions, ...storage];
