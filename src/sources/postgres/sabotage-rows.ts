import { quoteText } from './connection.ts';
import type { Way } from './sabotage-way.ts';

/** Tables of the application's own, those that hold most first; their catalog row is `c`. */
export function ownTables(join = '', condition = 'true', first = ''): string {
  return `FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace ${join}
    WHERE relkind = 'r' AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      AND (${condition})
    ORDER BY ${first}pg_relation_size(c.oid) DESC, c.oid`;
}

const filled = 'pg_relation_size(c.oid) > 0';
const named = "relname AS name, format('%s.%s', nspname, relname) AS what";
const rowsLook = `format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS seen FROM ONLY %s t', c.oid::regclass) AS look`;

/** `strike` as PostgreSQL's `format` takes it: the table is its first argument. */
function tableWay(name: string, strike: string, condition = filled): Way {
  const find = `SELECT ${named}, format(${quoteText(strike)}, c.oid::regclass) AS strike, ${rowsLook} ${ownTables('', condition)}`;
  return { name, harm: 'rows', find, absent: 'it has no table with rows' };
}

interface Values {
  /** What is changed. */
  readonly what: string;
  readonly types: readonly string[];
  /** The new value; `%2$I` is the column. */
  readonly set: string;
  /** Of the rows that could be. */
  readonly where?: string;
  readonly condition?: string;
  /** Every row, and not one. */
  readonly all?: boolean;
}

/** Changes values of a column that is no key. */
function valueWay(name: string, { what, types, set, where = 'true', condition = 'true', all }: Values): Way {
  const rows = all ? where : `ctid = (SELECT ctid FROM ONLY %1$s WHERE ${where} LIMIT 1)`;
  const strike = `UPDATE ONLY %1$s SET %2$I = ${set} WHERE ${rows} RETURNING 1`;
  const list = types.map(quoteText).join(', ');
  const columns = `JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    JOIN pg_type t ON t.oid = atttypid AND t.oid < 16384 AND typname IN (${list})`;
  const free = `${filled} AND (${condition}) AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary AND attnum = ANY(indkey))`;
  const find = `SELECT relname AS name, format('%s.%s, column %s', nspname, relname, attname) AS what,
    format(${quoteText(strike)}, c.oid::regclass, attname) AS strike, ${rowsLook}
    ${ownTables(columns, free, `array_position(ARRAY[${list}], typname::text), `)}`;
  return { name, harm: 'rows', find, absent: `it has no ${what}` };
}

const texts = ['text', 'varchar', 'bpchar'];
const numbers = ['money', 'numeric', 'int8', 'int4', 'int2', 'float8', 'float4'];
const sameRow = `FROM ONLY %1$s WHERE ctid = (SELECT ctid FROM ONLY %1$s LIMIT 1)`;

const tables: readonly Way[] = [
  {
    ...tableWay('a table is lost', ''),
    find: `SELECT ${named}, format('DROP TABLE %s CASCADE', c.oid::regclass) AS strike ${ownTables()}`,
    absent: 'it has no table',
  },
  tableWay('a table is empty', 'DELETE FROM ONLY %1$s RETURNING 1'),
  tableWay('a row is lost', 'DELETE FROM ONLY %1$s WHERE ctid = (SELECT ctid FROM ONLY %1$s LIMIT 1) RETURNING 1'),
  tableWay(
    'the last half of the rows is lost',
    'DELETE FROM ONLY %1$s WHERE ctid = ANY(ARRAY(SELECT ctid FROM ONLY %1$s ORDER BY ctid OFFSET (SELECT (count(*) + 1) / 2 FROM ONLY %1$s))) RETURNING 1',
  ),
  {
    ...tableWay(
      'a row is there twice',
      `INSERT INTO %1$s OVERRIDING SYSTEM VALUE SELECT * ${sameRow} RETURNING 1`,
      `${filled} AND NOT relispartition`,
    ),
    absent: 'it has no table with rows and without a key',
  },
  tableWay('all rows are there twice', `INSERT INTO %1$s OVERRIDING SYSTEM VALUE SELECT * FROM ONLY %1$s RETURNING 1`),
  {
    name: 'a row is there that nobody wrote',
    harm: 'rows',
    find: `SELECT ${named}, ${rowsLook}, format('INSERT INTO %1$s OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(t,
        jsonb_build_object(%2$L, (SELECT max(%2$I) + 1 FROM ONLY %1$s)))).* FROM ONLY %1$s t LIMIT 1 RETURNING 1', c.oid::regclass, attname) AS strike
      ${ownTables(
        `JOIN pg_index i ON indrelid = c.oid AND indisprimary AND indnkeyatts = 1
         JOIN pg_attribute a ON attrelid = c.oid AND attnum = indkey[0] AND atttypid IN (20, 21, 23)`,
        filled,
      )}`,
    absent: 'it has no table with rows and a number for its key',
  },
];

const values: readonly Way[] = [
  valueWay('a letter is another', {
    what: 'text',
    types: texts,
    set: "overlay(%2$I PLACING (CASE WHEN left(%2$I, 1) = 'x' THEN 'y' ELSE 'x' END) FROM 1 FOR 1)",
    where: 'length(%2$I) > 0',
  }),
  valueWay('a text is cut short', {
    what: 'text of two letters',
    types: ['text', 'varchar'],
    set: 'left(%2$I, length(%2$I) - 1)',
    where: 'length(%2$I) > 1',
  }),
  valueWay('a space is added to a text', { what: 'text', types: ['text', 'varchar'], set: "%2$I || ' '" }),
  valueWay('letters beyond ASCII were read in another encoding', {
    what: 'text with a letter beyond ASCII',
    types: ['text', 'varchar'],
    set: "convert_from(convert_to(%2$I, 'UTF8'), 'LATIN1')",
    where: "%2$I ~ '[^\\x01-\\x7f]'",
    condition: "current_setting('server_encoding') = 'UTF8'",
  }),
  valueWay('a value is NULL', {
    what: 'column that may be NULL and is not',
    types: [...texts, ...numbers, 'timestamptz', 'timestamp', 'date', 'bool', 'uuid', 'jsonb', 'json', 'bytea'],
    set: 'NULL',
    where: '%2$I IS NOT NULL',
    condition: 'NOT attnotnull',
  }),
  valueWay('a NULL is an empty text', {
    what: 'text that is NULL',
    types: ['text', 'varchar'],
    set: "''",
    where: '%2$I IS NULL',
  }),
  valueWay('amounts are a hundred times as large', {
    what: 'number but keys',
    types: numbers,
    set: '%2$I * 100',
    where: '%2$I::numeric <> 0',
    all: true,
  }),
  valueWay('a number is one more', { what: 'number but keys', types: numbers.slice(1), set: '%2$I + 1' }),
  valueWay('times are shifted by a zone', {
    what: 'time',
    types: ['timestamptz', 'timestamp'],
    set: "%2$I + interval '2 hours'",
    where: 'isfinite(%2$I)',
    all: true,
  }),
  valueWay('a time has lost its fractions', {
    what: 'time with fractions of a second',
    types: ['timestamptz', 'timestamp'],
    set: "date_trunc('second', %2$I)",
    where: "isfinite(%2$I) AND %2$I <> date_trunc('second', %2$I)",
  }),
  valueWay('a date is a day later', { what: 'date', types: ['date'], set: '%2$I + 1', where: 'isfinite(%2$I)' }),
  valueWay('a yes is a no', { what: 'yes or no', types: ['bool'], set: 'NOT %2$I', where: '%2$I IS NOT NULL' }),
  valueWay('a bit is another', {
    what: 'bytes',
    types: ['bytea'],
    set: 'set_byte(%2$I, 0, get_byte(%2$I, 0) # 1)',
    where: 'length(%2$I) > 0',
  }),
  valueWay('a key of a JSON object is lost', {
    what: 'JSON object (jsonb) with a key',
    types: ['jsonb'],
    set: '%2$I - (SELECT min(k) FROM jsonb_object_keys(%2$I) k)',
    where: "CASE jsonb_typeof(%2$I) WHEN 'object' THEN %2$I <> '{}' END",
  }),
  valueWay('two rows have swapped a value', {
    what: 'column with two values',
    types: [...texts, ...numbers.slice(1), 'timestamptz', 'uuid'],
    set: `(SELECT max(o.%2$I) FROM ONLY %1$s o WHERE o.ctid = ANY(p.two) AND o.ctid <> %1$s.ctid) FROM (SELECT ARRAY[a.ctid, b.ctid] AS two
      FROM (SELECT ctid, * FROM ONLY %1$s LIMIT 1) a, ONLY %1$s b WHERE a.%2$I <> b.%2$I LIMIT 1) p`,
    where: '%1$s.ctid = ANY(p.two)',
    all: true,
  }),
];

const others: readonly Way[] = [
  {
    name: 'a sequence is set back',
    harm: 'rows',
    find: `SELECT sequencename AS name, format('%s.%s', schemaname, sequencename) AS what,
        format('SELECT setval(%L, %s, false)', format('%I.%I', schemaname, sequencename), start_value) AS strike,
        format('SELECT last_value || '' '' || is_called AS seen FROM %I.%I', schemaname, sequencename) AS look, true AS lasts
      FROM pg_sequences WHERE last_value IS NOT NULL ORDER BY last_value <= start_value, last_value DESC`,
    absent: 'it has no sequence that was used',
  },
  {
    name: 'a large object is lost',
    harm: 'rows',
    find: `SELECT 'large objects' AS name, format('large object %s', oid) AS what, format('SELECT lo_unlink(%s)', oid) AS strike
      FROM pg_largeobject_metadata ORDER BY oid`,
    absent: 'it has no large object',
  },
  {
    name: 'a large object has other bytes',
    harm: 'rows',
    find: `SELECT 'large objects' AS name, format('large object %s', loid) AS what,
        format('SELECT lo_put(%s, %s, set_byte(lo_get(%1$s, %2$s, 1), 0, get_byte(lo_get(%1$s, %2$s, 1), 0) # 1))', loid, length(data) - 1) AS strike
      FROM pg_largeobject WHERE pageno = 0 AND length(data) > 0 ORDER BY loid`,
    absent: 'it has no large object with bytes',
  },
  {
    name: 'a materialised view is empty',
    harm: 'rows',
    find: `SELECT matviewname AS name, format('%s.%s', schemaname, matviewname) AS what,
        format('REFRESH MATERIALIZED VIEW %I.%I WITH NO DATA', schemaname, matviewname) AS strike
      FROM pg_matviews WHERE ispopulated ORDER BY 2`,
    absent: 'it has no materialised view that is filled',
  },
];

export const rowWays: readonly Way[] = [...tables, ...values, ...others];
