import { isAscii, isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { type BytesRow, quoted } from './connection.ts';
import type { Column, Table } from './objects.ts';

/** Statements become about so large: two that are alike find each other again when rows came between. */
const statementBytes = 1 << 20;

/** Each statement of a dump ends with this at the end of its line: no text within one does. */
export const endOfStatement = '$$lifeboat';

const numbers = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'float', 'double', 'year']);
/** Bytes would be taken for their value (my3). */
const named = new Set(['uuid', 'inet4', 'inet6', 'date', 'time', 'datetime', 'timestamp', 'enum', 'set']);
const ofUnicode = new Set(['utf8mb4', 'utf8mb3', 'utf8']);
/** Where bytes below 128 are what they are in ASCII, and nothing else is. */
const likeAscii = /^(?:ascii|latin\d|cp125\d|koi8[ru]|greek|hebrew|armscii8)$/;

type Encode = (value: Buffer) => string;

/** Which columns of a table are read and written, and how. */
export interface RowText {
  /** Reads them, with `character_set_results = binary`. */
  readonly select: string;
  /** `INSERT INTO … VALUES`, before the rows. */
  readonly insert: string;
  /** One row between its brackets; each character is a byte. */
  encode(row: BytesRow): string;
}

export function rowTextOf(table: Table, isMariadb: boolean): RowText {
  const isPast = table.versioned && !table.columns.some(({ name }) => name === 'row_start');
  // Of a table that keeps its past without saying so, the period has names of its own.
  const period = isPast ? ['row_start', 'row_end'].map((name): Column => ({ name, type: 'timestamp' })) : [];
  const columns = [...table.columns, ...period];
  const names = columns.map(({ name }) => quoted(name));
  // A FLOAT as text has six digits of its seven to nine (my1).
  const read = columns.map(({ name, type }) => (type === 'float' ? `CAST(${quoted(name)} AS DOUBLE)` : quoted(name)));
  const encoders = columns.map((column) => encoderOf(column, isMariadb));
  const past = table.versioned ? ' FOR SYSTEM_TIME ALL' : '';
  return {
    select: `SELECT ${read.join(', ')} FROM ${quoted(table.name)}${past}`,
    insert: `INSERT INTO ${quoted(table.name)} (${names.join(', ')}) VALUES\n`,
    encode: (row) =>
      `(${row.map((value, at) => (value === null ? 'NULL' : (encoders[at]?.(value) ?? hexOf(value)))).join(',')})`,
  };
}

function encoderOf({ type, charset }: Column, isMariadb: boolean): Encode {
  if (numbers.has(type)) return (value) => value.toString('latin1');
  if (type === 'bit') return (value) => `b'${[...value].map((byte) => byte.toString(2).padStart(8, '0')).join('')}'`;
  if (type === 'json' && !isMariadb) return (value) => `_utf8mb4 ${hexOf(value)}`;
  if (charset !== undefined && ofUnicode.has(charset)) return (value) => (isUtf8(value) ? textOf(value) : hexOf(value));
  if (named.has(type) && (charset === undefined || likeAscii.test(charset)))
    return (value) => (isAscii(value) ? textOf(value) : hexOf(value));
  if (charset !== undefined && likeAscii.test(charset))
    return (value) => (isAscii(value) ? textOf(value) : hexOf(value));
  return hexOf;
}

function hexOf(value: Buffer): string {
  return value.length === 0 ? "''" : `x'${value.toString('hex')}'`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a byte of a value
const special = /[\0\n\r\x1a\\']/g;
const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
  '\x1a': '\\Z',
  '\\': '\\\\',
  "'": "\\'",
};

function textOf(value: Buffer): string {
  return `'${value.toString('latin1').replace(special, (one) => escapes[one] ?? one)}'`;
}

/** What the rows of a table come to, in whatever order they come. */
export interface RowSum {
  add(row: string): void;
  readonly rows: number;
  /** Thirty-two digits: a sum over all rows of the first half of each one's SHA-256. */
  readonly digest: string;
}

/** So many sums of 32 bits are exact in a number. */
const exactRows = 1 << 20;

export function startRowSum(): RowSum {
  let rows = 0;
  // Four digits of 32 bits, the highest first.
  const sum = [0, 0, 0, 0];
  const carry = () => {
    for (let at = 3; at >= 0; at--) {
      const digit = sum[at] ?? 0;
      sum[at] = digit % 2 ** 32;
      if (at > 0) sum[at - 1] = (sum[at - 1] ?? 0) + Math.floor(digit / 2 ** 32);
    }
  };
  return {
    add(row) {
      const digest = hash('sha256', Buffer.from(row, 'latin1'), 'buffer');
      for (let at = 0; at < 4; at++) sum[at] = (sum[at] ?? 0) + digest.readUInt32BE(at * 4);
      if (++rows % exactRows === 0) carry();
    },
    get rows() {
      return rows;
    },
    get digest() {
      carry();
      return sum.map((digit) => digit.toString(16).padStart(8, '0')).join('');
    },
  };
}

/** The statements that bring rows back, one after another; an empty table needs none. */
export async function* insertsOf(
  text: RowText,
  batches: AsyncIterable<readonly BytesRow[]>,
  sum: RowSum,
): AsyncGenerator<Buffer> {
  let parts: string[] = [];
  let size = 0;
  const statement = () => Buffer.from(`${parts.join(',\n')}${endOfStatement}\n`, 'latin1');
  for await (const batch of batches) {
    for (const row of batch) {
      const one = text.encode(row);
      sum.add(one);
      if (size === 0) yield Buffer.from(text.insert);
      parts.push(one);
      size += one.length;
      if (size < statementBytes) continue;
      yield statement();
      parts = [];
      size = 0;
    }
  }
  if (size > 0) yield statement();
}
