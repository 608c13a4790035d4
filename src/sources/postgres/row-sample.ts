import {
  cellOf,
  hashFactor,
  hashOf,
  hashStart,
  mixed,
  noCell,
  sampleSize,
  startSample,
  type TableSample,
} from '../../core/sample.ts';
import { newline, tab } from '../row-checksum.ts';

/** A few rows of a table, from COPY's text as it passes by. */
export interface RowSample {
  /** Takes bytes of the table's data, cut anywhere. */
  add(bytes: Uint8Array, start: number, end: number): void;
  sample(): TableSample;
}

/** `columns` and `primary` as the dump spells them; the first column stands in for a primary key. `shown`: the columns for people. */
export function startRowSample(
  columns: readonly string[],
  primary: readonly string[],
  shown: (name: string) => string,
): RowSample {
  const known = primary.filter((name) => columns.includes(name));
  const key = known.length > 0 && known.length === primary.length ? known : columns.slice(0, 1);
  const places = key.map((name) => columns.indexOf(name));
  const sampling = startSample<Uint8Array>(sampleSize);
  let held: Uint8Array[] = [];
  let isOver = columns.length === 0;
  const [first, ...others] = places;

  /** `hash` of the first field. */
  function take(bytes: Uint8Array, from: number, to: number, hash: number): void {
    if (to - from === 2 && bytes[from] === backslash && bytes[from + 1] === dot) {
      isOver = true;
      return;
    }
    const key = first === 0 && others.length === 0 ? mixed(hash) : hashOfFields(bytes.subarray(from, to), places);
    if (sampling.wants(key)) sampling.add(key, bytes.slice(from, to));
  }

  return {
    add(bytes, start, end) {
      let at = start;
      while (at < end && !isOver) {
        // The whole cost of most rows: the first field, and where the row ends.
        let hash = hashStart;
        let stop = at;
        for (; stop < end; stop++) {
          const byte = bytes[stop] as number;
          if (byte === tab || byte === newline) break;
          hash = Math.imul(hash ^ byte, hashFactor);
        }
        const near = Math.min(end, stop + nearBytes);
        while (stop < near && bytes[stop] !== newline) stop++;
        if (stop === near && near < end) stop = bytes.indexOf(newline, near);
        if (stop < 0 || stop >= end) {
          held.push(bytes.slice(at, end));
          return;
        }
        if (held.length === 0) take(bytes, at, stop, hash);
        else {
          const row = Buffer.concat([...held, bytes.subarray(at, stop)]);
          held = [];
          const tabAt = row.indexOf(tab);
          take(row, 0, row.length, sumOf(row.subarray(0, tabAt < 0 ? row.length : tabAt)));
        }
        at = stop + 1;
      }
    },
    sample: () => sampling.sample(key.map(shown), columns.map(shown), (row) => cellsOf(row, columns.length)),
  };
}

/** Here a loop finds the end of a row sooner than a call. */
const nearBytes = 128;
const [backslash, dot] = [0x5c, 0x2e];

function sumOf(field: Uint8Array): number {
  return field.reduce((hash, byte) => Math.imul(hash ^ byte, hashFactor), hashStart);
}

/** Of several each is followed by a tab. */
function hashOfFields(row: Uint8Array, places: readonly number[]): number {
  const [only, ...others] = places.map((place) => fieldAt(row, place));
  if (others.length === 0) return hashOf(only!);
  return hashOf(Buffer.concat([only!, ...others].flatMap((field) => [field, separator])));
}

const separator = Uint8Array.of(tab);

function fieldAt(row: Uint8Array, place: number): Uint8Array {
  let from = 0;
  for (let field = 0; field < place; field++) from = row.indexOf(tab, from) + 1;
  const to = row.indexOf(tab, from);
  return row.subarray(from, to < 0 ? row.length : to);
}

function cellsOf(row: Uint8Array, columns: number): string {
  const cells: string[] = [];
  for (let [field, at] = [0, 0]; field < columns; field++) {
    const stop = row.indexOf(tab, at);
    const value = row.subarray(at, stop < 0 ? row.length : stop);
    const text = Buffer.from(value.subarray(0, 3)).toString('latin1');
    // No value; bytes, whose digits say nothing.
    if (text === '\\N' && value.length === 2) cells.push(noCell);
    else cells.push(text === '\\\\x' ? cellOf(value, 'x') : cellOf(value));
    at = stop < 0 ? row.length : stop + 1;
  }
  return cells.join('');
}
