import { isUtf8 } from 'node:buffer';
import type { RowChecksum } from '../row-checksum.ts';
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

/** Writes a value, `row` from `start` to `end`, and says where it ended. */
type Encode = (row: Buffer, start: number, end: number, out: Buffer, at: number) => number;

/** Bytes that are written, up to `at`; they are others when they had to become more. */
interface Out {
  bytes: Buffer;
  view: DataView;
  at: number;
}

/** Which columns of a table are read and written, and how. */
export interface RowText {
  /** Reads them, with `character_set_results = binary`. */
  readonly select: string;
  /** `INSERT INTO … VALUES`, before the rows. */
  readonly insert: string;
  /** Writes a row of the protocol between brackets. */
  encode(row: Buffer, out: Out): void;
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
    encode: (row, out) => encodeRow(row, encoders, out),
  };
}

/** A row is the whole cost of a dump: byte by byte, and nothing made for a value. */
function encodeRow(row: Buffer, encoders: readonly Encode[], out: Out): void {
  // Hex and escapes are two for one, bits eight for at most eight.
  makeRoom(out, 2 * row.length + 80 * (encoders.length + 1));
  const { bytes } = out;
  let [from, at] = [0, out.at];
  for (let column = 0; column < encoders.length; column++) {
    bytes[at++] = column === 0 ? bracket : comma;
    let length = row[from++] ?? noValue;
    if (length === noValue) {
      at += bytes.write('NULL', at, 'latin1');
      continue;
    }
    if (length > noValue) {
      const width = length === 0xfc ? 2 : length === 0xfd ? 3 : 6;
      length = row.readUIntLE(from, width);
      // Eight in all, of which no value needs the last two.
      from += width === 6 ? 8 : width;
    }
    at = encoders[column]!(row, from, from + length, bytes, at);
    from += length;
  }
  bytes[at++] = closing;
  out.at = at;
}

const [bracket, closing, comma, newline, quote, backslash] = [0x28, 0x29, 0x2c, 0x0a, 0x27, 0x5c] as const;
/** In the place of a length: NULL. Above it follow the bytes of a larger length. */
const noValue = 0xfb;

function newOut(sizeBytes: number): Out {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  return { bytes, view: new DataView(bytes.buffer), at: 0 };
}

function makeRoom(out: Out, sizeBytes: number): void {
  if (out.at + sizeBytes <= out.bytes.length) return;
  const { bytes, view } = newOut(Math.max(out.at + sizeBytes, 2 * out.bytes.length));
  out.bytes.copy(bytes, 0, 0, out.at);
  Object.assign(out, { bytes, view });
}

function encoderOf({ type, charset }: Column): Encode {
  if (numbers.has(type)) return plain;
  if (type === 'bit') return bits;
  if (charset !== undefined && ofUnicode.has(charset))
    return (row, start, end, out, at) =>
      (isAsciiIn(row, start, end) || isUtf8(row.subarray(start, end)) ? text : hex)(row, start, end, out, at);
  const isLikeAscii = charset === undefined ? named.has(type) : likeAscii.test(charset);
  if (isLikeAscii)
    return (row, start, end, out, at) => (isAsciiIn(row, start, end) ? text : hex)(row, start, end, out, at);
  return hex;
}

function isAsciiIn(row: Buffer, start: number, end: number): boolean {
  for (let from = start; from < end; from++) if (row[from]! > 127) return false;
  return true;
}

function plain(row: Buffer, start: number, end: number, out: Buffer, at: number): number {
  for (let from = start; from < end; from++) out[at++] = row[from]!;
  return at;
}

function bits(row: Buffer, start: number, end: number, out: Buffer, at: number): number {
  const digits = [...row.subarray(start, end)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return at + out.write(`b'${digits}'`, at, 'latin1');
}

function hex(row: Buffer, start: number, end: number, out: Buffer, at: number): number {
  if (start < end) out[at++] = 0x78;
  out[at++] = quote;
  at += out.write(row.toString('hex', start, end), at, 'latin1');
  out[at++] = quote;
  return at;
}

/** The letter of each byte that stands after a backslash. */
const escapes = new Uint8Array(256);
for (const [byte, letter] of ['\0' + '0', '\nn', '\rr', '\x1aZ', '\\\\', "''"].map((two) => Buffer.from(two, 'latin1')))
  escapes[byte!] = letter!;

function text(row: Buffer, start: number, end: number, out: Buffer, at: number): number {
  out[at++] = quote;
  for (let from = start; from < end; from++) {
    const byte = row[from]!;
    const letter = escapes[byte]!;
    if (letter === 0) out[at++] = byte;
    else {
      out[at++] = backslash;
      out[at++] = letter;
    }
  }
  out[at++] = quote;
  return at;
}

/** The statements that bring rows back, one after another; an empty table needs none. */
export async function* insertsOf(
  text: RowText,
  batches: AsyncIterable<readonly Buffer[]>,
  sum: RowChecksum,
  delimiter: string,
): AsyncGenerator<Buffer> {
  const ending = Buffer.from(`${delimiter}\n`);
  let out = newOut(statementBytes + 65_536);
  let size = 0;
  const statement = () => {
    makeRoom(out, ending.length);
    // In the place of what would join another row to it.
    ending.copy(out.bytes, out.at - 2);
    const whole = out.bytes.subarray(0, out.at - 2 + ending.length);
    out = newOut(statementBytes + 65_536);
    size = 0;
    return whole;
  };
  for await (const batch of batches) {
    for (const row of batch) {
      if (size === 0) yield Buffer.from(text.insert);
      const start = out.at;
      text.encode(row, out);
      const { bytes, view, at } = out;
      size += at - start;
      // Summed as a line: what joins rows in a statement is another matter each time.
      bytes[at] = newline;
      sum.add(bytes, view, start, at + 1);
      bytes[at] = comma;
      bytes[at + 1] = newline;
      out.at = at + 2;
      if (size >= statementBytes) yield statement();
    }
  }
  if (size > 0) yield statement();
}
