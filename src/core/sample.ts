/**
 * A few rows of a table, the same few at each restore point, by which two restore points are held against each other: which rows
 * are still there, and which of their values are others. docs/vault-format.md defines it to the letter.
 */
export interface TableSample {
  /** Which of the columns tell one row from another. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** Hash of a key, up to which all rows are in it; absent where all rows are. */
  readonly until?: string;
  /** Eight digits of its key's hash, then five for each column. In ascending order. */
  readonly rows: readonly string[];
}

/** What is in one value of a sample: three digits of its hash, what it looks like, how long it is. */
export interface Cell {
  readonly hash: string;
  readonly look: Look;
  /** Of what power of two. */
  readonly length: number;
}

/** No value, digits and dates, words, packed as its first bytes say, bytes, noise. */
export type Look = '-' | 'd' | 'w' | 'k' | 'x' | 'z';

const keyDigits = 8;
const cellDigits = 5;

/** `value` is what is hashed; `length` is that of all of it. */
export function cellOf(value: Uint8Array, look: Look = lookOf(value), length = value.length): string {
  const power = length === 0 ? 0 : Math.floor(Math.log2(length)) + 1;
  return digits(hashOf(value)).slice(0, 3) + look + Math.min(35, power).toString(36);
}

export const noCell = '000-0';

export function keyOf(row: string): string {
  return row.slice(0, keyDigits);
}

export function cellAt(row: string, column: number): Cell {
  const cell = row.slice(keyDigits + column * cellDigits).slice(0, cellDigits);
  return { hash: cell.slice(0, 3), look: cell[3] as Look, length: Number.parseInt(cell[4] ?? '0', 36) };
}

/** FNV-1a over the bytes, mixed at the end as MurmurHash3 does. */
export function hashOf(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let hash = hashStart;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, hashFactor);
  return mixed(hash);
}

export const hashStart = 0x811c9dc5 | 0;
export const hashFactor = 0x01000193;

export function mixed(sum: number): number {
  let hash = sum;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function digits(hash: number): string {
  return hash.toString(16).padStart(keyDigits, '0');
}

/** Bytes of a value that are looked at. */
const mostLooked = 256;
const fewestLooked = 12;

/** What a text looks like by its first bytes: noise changes between kinds of characters where words stay in one. */
export function lookOf(bytes: Uint8Array): Look {
  const end = Math.min(bytes.length, mostLooked);
  let [pairs, changes, onlyDigits, before] = [0, 0, true, 0];
  for (let at = 0; at < end; at++) {
    const kind = kinds[bytes[at]!]!;
    if (kind === control) return 'x';
    if (kind !== digit && kind !== space && !ofNumbers.includes(bytes[at]!)) onlyDigits = false;
    if (kind !== space && before !== space) {
      pairs++;
      if (kind !== before) changes++;
    }
    before = kind;
  }
  if (onlyDigits) return 'd';
  return pairs >= fewestLooked && changes > pairs * 0.35 ? 'z' : 'w';
}

const [space, control, digit] = [0, 1, 2];
/** `+`, `-`, `.`, `:`, `/`, and the T and Z of a time. */
const ofNumbers = [...Buffer.from('+-.:/TZ')];
/** Of each byte: space, control character, digit, small, capital, beyond ASCII, everything else. */
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 32 || (byte >= 9 && byte <= 13)) return space;
  if (byte < 32 || byte === 127) return control;
  if (byte >= 128) return 5;
  const text = String.fromCharCode(byte);
  if (/\d/.test(text)) return digit;
  return /[a-z]/.test(text) ? 3 : /[A-Z]/.test(text) ? 4 : 6;
});

export interface Sampling<T> {
  /** Whether a row with this key would be kept: most are not, and need not be looked at further. */
  wants(hash: number): boolean;
  add(hash: number, row: T): void;
  remove(hash: number): void;
  /** `cellsOf` gives the digits of a row's columns; undefined leaves it out. */
  sample(key: readonly string[], columns: readonly string[], cellsOf: (row: T) => string | undefined): TableSample;
}

/** Keeps the rows with the smallest hashes of their keys. A key that several rows have stands for none of them. */
export function startSample<T>(size: number): Sampling<T> {
  // Ascending; undefined where there are several.
  const hashes: number[] = [];
  const kept: (T | undefined)[] = [];
  let isAll = true;
  return {
    wants(hash) {
      if (hashes.length < size || hash <= hashes[hashes.length - 1]!) return true;
      isAll = false;
      return false;
    },
    add(hash, row) {
      const at = placeOf(hashes, hash);
      if (hashes[at] === hash) {
        kept[at] = undefined;
        return;
      }
      hashes.splice(at, 0, hash);
      kept.splice(at, 0, row);
      if (hashes.length <= size) return;
      hashes.pop();
      kept.pop();
      isAll = false;
    },
    remove(hash) {
      const at = placeOf(hashes, hash);
      if (hashes[at] === hash) kept[at] = undefined;
    },
    sample(key, columns, cellsOf) {
      const rows = hashes.flatMap((hash, at) => {
        const row = kept[at];
        const cells = row === undefined ? undefined : cellsOf(row);
        return cells === undefined ? [] : [digits(hash) + cells];
      });
      return { key, columns, ...(!isAll && { until: digits(hashes.at(-1) ?? 0) }), rows };
    },
  };
}

function placeOf(hashes: readonly number[], hash: number): number {
  let [low, high] = [0, hashes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hashes[middle]! < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Rows of one table, and values of all tables of a dataset. */
export const sampleSize = 64;
const mostValues = 16_000;
/** Of fewer nothing is known. */
const fewestRows = 24;

/** The samples of a dataset's tables, in the order of their rows, as far as there is room for them. The smallest tables lose theirs first. */
export function withinRoom<T extends { readonly rows: number; readonly sample?: TableSample }>(
  tables: readonly T[],
): T[] {
  let left = mostValues;
  const kept = new Map<T, TableSample>();
  const largest = tables.filter(({ sample }) => sample !== undefined).sort((a, b) => b.rows - a.rows);
  const columns = largest.reduce((sum, { sample }) => sum + (sample?.columns.length ?? 0), 0);
  const each = Math.max(fewestRows, Math.min(sampleSize, Math.floor(mostValues / Math.max(1, columns))));
  for (const table of largest) {
    const sample = shortened(table.sample!, each);
    const values = sample.rows.length * sample.columns.length;
    if (sample.rows.length === 0 || values > left) continue;
    left -= values;
    kept.set(table, sample);
  }
  return tables.map((table) => {
    const { sample: _, ...rest } = table;
    const sample = kept.get(table);
    return { ...rest, ...(sample && { sample }) } as T;
  });
}

/** Whether two samples of the same table, of which one may be shorter, hold different rows. Where their columns differ nobody can say. */
export function disagree(a: TableSample | undefined, b: TableSample | undefined): boolean {
  const said = ({ key, columns }: TableSample) => JSON.stringify([key, columns]);
  if (a === undefined || b === undefined || said(a) !== said(b)) return false;
  const [least] = [a.until, b.until].filter((until) => until !== undefined).sort();
  const within = ({ rows }: TableSample) => rows.filter((row) => least === undefined || keyOf(row) <= least).join();
  return within(a) !== within(b);
}

function shortened(sample: TableSample, size: number): TableSample {
  if (sample.rows.length <= size) return sample;
  const rows = sample.rows.slice(0, size);
  return { ...sample, until: keyOf(rows.at(-1)!), rows };
}
