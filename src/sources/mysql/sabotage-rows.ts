import { quoted, showName } from './names.ts';
import type { Column, Filled, Target, Way } from './sabotage-way.ts';

const absentRows = 'it has no table with rows';

/** `strike`: with the table's name as SQL has it, and how many rows it has. */
function tableWay(name: string, strike: (table: string, rows: number) => string): Way {
  return {
    ...{ name, harm: 'rows', absent: absentRows },
    find: ({ filled }) => filled.map(({ table, rows }) => targetOf(table, strike(quoted(table.name), rows))),
  };
}

function targetOf(table: Filled['table'], strike: string, what = showName(table.name)): Target {
  return { name: table.name, what, strike, table };
}

interface Values {
  /** What is changed. */
  readonly what: string;
  readonly of: (column: Column) => boolean;
  /** The new value; `c` is the column. */
  readonly set: (c: string, column: Column) => string;
  /** Of the rows that could be. */
  readonly where?: (c: string) => string;
  /** Every row, and not one. */
  readonly all?: boolean;
}

/** Changes values of a column that is no key. */
function valueWay(name: string, { what, of, set, where = (c) => `${c} IS NOT NULL`, all = false }: Values): Way {
  return {
    ...{ name, harm: 'rows', absent: `it has no ${what}` },
    async find({ session, filled }) {
      const found: Target[] = [];
      for (const { table, columns } of filled) {
        for (const column of columns.filter((one) => !one.inKey && of(one))) {
          const c = quoted(column.name);
          const condition = where(c);
          const [row] = await session.ask(`SELECT 1 FROM ${quoted(table.name)} WHERE ${condition} LIMIT 1`);
          if (row === undefined) continue;
          const strike = `UPDATE ${quoted(table.name)} SET ${c} = ${set(c, column)} WHERE ${condition}${all ? '' : ' LIMIT 1'}`;
          found.push(targetOf(table, strike, `${showName(table.name)}, column ${showName(column.name)}`));
          if (found.length === 5) return found;
        }
      }
      return found;
    },
  };
}

const isText = ({ type }: Column) => /^(varchar|text|tinytext|mediumtext|longtext|char)$/.test(type);
const isWhole = ({ type, full }: Column) =>
  /^(small|medium|big)?int$/.test(type) || (type === 'tinyint' && !full.startsWith('tinyint(1)'));
const isNumber = (column: Column) => isWhole(column) || /^(decimal|float|double)$/.test(column.type);
const isTime = ({ type }: Column) => /^(datetime|timestamp)$/.test(type);

const tables: readonly Way[] = [
  {
    ...{ name: 'a table is lost', harm: 'rows', absent: 'it has no table' },
    find: ({ objects }) => objects.tables.map((table) => targetOf(table, `DROP TABLE ${quoted(table.name)}`)),
  },
  tableWay('a table is empty', (table) => `DELETE FROM ${table}`),
  tableWay('a row is lost', (table) => `DELETE FROM ${table} LIMIT 1`),
  tableWay('half of the rows are lost', (table, rows) => `DELETE FROM ${table} LIMIT ${Math.ceil(rows / 2)}`),
  {
    ...{ name: 'a row is there twice', harm: 'rows', absent: 'it has no table with rows and without a key' },
    find: ({ filled }) =>
      filled
        .filter(({ columns }) => columns.every(({ inKey }) => !inKey))
        .map(({ table }) => {
          const names = table.columns.map(({ name }) => quoted(name)).join(', ');
          return targetOf(
            table,
            `INSERT INTO ${quoted(table.name)} (${names}) SELECT ${names} FROM ${quoted(table.name)} LIMIT 1`,
          );
        }),
  },
  {
    ...{ name: 'the history of a table is lost', harm: 'rows', absent: 'it has no table that keeps its history' },
    async find({ session, filled }) {
      const found: Target[] = [];
      for (const { table } of filled.filter((one) => one.table.versioned)) {
        const past = `SELECT COUNT(*) c FROM ${quoted(table.name)}`;
        const [[all], [now]] = [await session.ask(`${past} FOR SYSTEM_TIME ALL`), await session.ask(past)];
        if (all?.c !== now?.c) found.push(targetOf(table, `DELETE HISTORY FROM ${quoted(table.name)}`));
      }
      return found;
    },
  },
  {
    ...{ name: 'a sequence is set back', harm: 'rows', absent: 'it has no sequence that was used' },
    find: ({ objects }) =>
      objects.sequences.map(({ name, next, create }) => ({
        ...{ name, what: `sequence ${showName(name)}` },
        strike: `ALTER SEQUENCE ${quoted(name)} RESTART ${/start with (-?\d+)/i.exec(create)?.[1] ?? 1}`,
        undo: [`ALTER SEQUENCE %database%.${quoted(name)} RESTART ${next}`],
      })),
  },
];

const values: readonly Way[] = [
  valueWay('a letter is another', {
    ...{ what: 'text', of: isText, where: (c) => `CHAR_LENGTH(${c}) > 0` },
    set: (c) => `CONCAT(IF(LEFT(${c}, 1) = 'x', 'y', 'x'), SUBSTRING(${c}, 2))`,
  }),
  valueWay('a letter is in the other case', {
    ...{ what: 'text with a small letter', of: isText, set: (c) => `UPPER(${c})` },
    where: (c) => `BINARY UPPER(${c}) <> BINARY ${c}`,
  }),
  valueWay('a text is cut short', {
    ...{ what: 'text of two letters', of: isText, where: (c) => `CHAR_LENGTH(${c}) > 1` },
    set: (c) => `LEFT(${c}, CHAR_LENGTH(${c}) - 1)`,
  }),
  valueWay('letters beyond ASCII were read in another encoding', {
    what: 'text with a letter beyond ASCII',
    of: (column) => isText(column) && column.charset.startsWith('utf8'),
    where: (c) => `LENGTH(${c}) <> CHAR_LENGTH(${c})`,
    set: (c) => `CONVERT(CAST(${c} AS BINARY) USING latin1)`,
  }),
  valueWay('a value is NULL', {
    ...{ what: 'column that may be NULL and is not', of: ({ nullable }) => nullable, set: () => 'NULL' },
  }),
  valueWay('a NULL is an empty text', {
    ...{ what: 'text that is NULL', of: (column) => isText(column) && column.nullable, set: () => "''" },
    where: (c) => `${c} IS NULL`,
  }),
  valueWay('a number is one more', { what: 'number but keys', of: isNumber, set: (c) => `${c} + 1` }),
  valueWay('amounts are a hundred times as large', {
    ...{ what: 'number but keys', of: isNumber, set: (c) => `${c} * 100`, where: (c) => `${c} <> 0`, all: true },
  }),
  valueWay('a FLOAT has lost its last digits', {
    what: 'FLOAT of seven digits',
    of: ({ type }) => type === 'float',
    set: (c) => `CAST(CAST(${c} AS CHAR) AS DOUBLE)`,
    where: (c) => `CAST(${c} AS DOUBLE) <> CAST(CAST(${c} AS CHAR) AS DOUBLE)`,
  }),
  valueWay('times are shifted by a zone', {
    ...{ what: 'time', of: isTime, set: (c) => `${c} + INTERVAL 2 HOUR`, all: true },
    where: (c) => `${c} BETWEEN '1980-01-01' AND '2030-01-01'`,
  }),
  valueWay('a time has lost its fractions', {
    ...{ what: 'time with fractions of a second', of: isTime, where: (c) => `MICROSECOND(${c}) <> 0` },
    set: (c) => `${c} - INTERVAL MICROSECOND(${c}) MICROSECOND`,
  }),
  valueWay('a date is a day later', {
    ...{ what: 'date', of: ({ type }) => type === 'date', set: (c) => `${c} + INTERVAL 1 DAY` },
    where: (c) => `${c} BETWEEN '1000-01-01' AND '9000-01-01'`,
  }),
  valueWay('a yes is a no', {
    ...{ what: 'yes or no', of: ({ full }) => full.startsWith('tinyint(1)'), set: (c) => `1 - ${c}` },
  }),
  valueWay('a bit is another', {
    what: 'bytes',
    of: ({ type }) => /^(blob|tinyblob|mediumblob|longblob|varbinary)$/.test(type),
    where: (c) => `LENGTH(${c}) > 0`,
    set: (c) => `CONCAT(CHAR(ASCII(${c}) ^ 1), SUBSTRING(${c}, 2))`,
  }),
];

export const rowWays: readonly Way[] = [...tables, ...values];
