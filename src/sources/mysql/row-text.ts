import { isAscii, isUtf8 } from 'node:buffer';
import type { RowChecksum } from '../row-checksum.ts';
import type { BytesRow } from './connection.ts';
import { quoted } from './names.ts';
import type { Column, Table } from './objects.ts';

/** Statements become about so large: two that are alike find each other again when rows came between. */
const statementBytes = 1 << 20;

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

export function rowTextOf(table: Table): RowText {
  const isPast = table.versioned && !table.columns.some(({ name }) => name === 'row_start');
  // Of a table that keeps its past without saying so, the period has names of its own.
  const period = isPast ? ['row_start', 'row_end'].map((name): Column => ({ name, type: 'timestamp' })) : [];
  const columns = [...table.columns, ...period];
  const names = columns.map(({ name }) => quoted(name));
  // A FLOAT as text has six digits of its seven to nine (my1).
  const read = columns.map(({ name, type }) => (type === 'float' ? `CAST(${quoted(name)} AS DOUBLE)` : quoted(name)));
  const encoders = columns.map((column) => encoderOf(column));
  const past = table.versioned ? ' FOR SYSTEM_TIME ALL' : '';
  return {
    select: `SELECT ${read.join(', ')} FROM ${quoted(table.name)}${past}`,
    insert: `INSERT INTO ${quoted(table.name)} (${names.join(', ')}) VALUES\n`,
    encode: (row) =>
      `(${row.map((value, at) => (value === null ? 'NULL' : (encoders[at]?.(value) ?? hexOf(value)))).join(',')})`,
  };
}

function encoderOf({ type, charset }: Column): Encode {
  if (numbers.has(type)) return (value) => value.toString('latin1');
  if (type === 'bit') return (value) => `b'${[...value].map((byte) => byte.toString(2).padStart(8, '0')).join('')}'`;
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

/** The statements that bring rows back, one after another; an empty table needs none. */
export async function* insertsOf(
  text: RowText,
  batches: AsyncIterable<readonly BytesRow[]>,
  sum: RowChecksum,
  delimiter: string,
): AsyncGenerator<Buffer> {
  let parts: string[] = [];
  let size = 0;
  const statement = () => {
    // One a line, without what joins them in a statement: where one ends is another matter each time.
    const lines = Buffer.from(`${parts.join('\n')}\n`, 'latin1');
    sum.add(lines, new DataView(lines.buffer, lines.byteOffset, lines.length), 0, lines.length);
    return Buffer.from(`${parts.join(',\n')}${delimiter}\n`, 'latin1');
  };
  for await (const batch of batches) {
    for (const row of batch) {
      const one = text.encode(row);
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
