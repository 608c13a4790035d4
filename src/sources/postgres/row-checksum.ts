/**
 * Counts and checksums the rows of one table as they pass by in COPY's text form, in the order of neither rows nor columns:
 * a restore may put rows in other places, and an inherited table's columns in another order. A field is hashed together with
 * its column's name, a row is the sum of its fields, a table the sum of its rows; two lanes of 32 bits. The hash guards against
 * mistakes, not against forgers: the bytes themselves are under the vault's SHA-256.
 *
 * Hashing in the server (`hashtextextended(t::text, 0)`) takes as long as the whole dump again; here it takes a tenth, and
 * COPY's text is the one form of a row that PostgreSQL keeps stable between versions.
 */
export interface RowChecksum {
  /** Takes bytes of the table's data, cut anywhere. `view` spans the same memory as `bytes`. */
  add(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** After the last byte: whether the end of the data was marked. Without the mark, rows are missing. */
  readonly whole: boolean;
  readonly rows: number;
  checksum(): string;
}

const tab = 9;
const newline = 10;
/** `\.` on a line of its own ends the data. A row never looks like it: in rows a backslash is doubled. */
const endMark = 0x2e5c;

export function rowChecksum(columns: readonly string[]): RowChecksum {
  const seeds = Int32Array.from(columns.length === 0 ? [''] : columns, seedOf);
  let rows = 0;
  let whole = false;
  let [sumA, sumB] = [0, 0];
  // What is left over between two calls: the row and field so far, and up to three bytes that do not fill a word yet.
  let [heldRowA, heldRowB, heldColumn, heldWords] = [0, 0, 0, 0];
  let [heldA, heldB] = [seeds[0] as number, ~(seeds[0] as number)];
  let [heldWord, heldFilled] = [0, 0];

  return {
    add(bytes, view, start, end) {
      // Locals: the loop is the whole cost, and an engine keeps only these in registers.
      let [rowA, rowB, column, words] = [heldRowA, heldRowB, heldColumn, heldWords];
      let [a, b, word, filled] = [heldA, heldB, heldWord, heldFilled];
      let at = start;
      while (at < end && !whole) {
        if (filled === 0) {
          const firstWordAt = at;
          while (at + 4 <= end) {
            const next = view.getInt32(at, true);
            // Any byte below 14? Tab and newline are; in fields COPY writes control characters as escapes.
            if (((next - 0x0e0e0e0e) & ~next & 0x80808080) !== 0) break;
            a = Math.imul(a ^ next, 0x85ebca6b);
            a ^= a >>> 15;
            b = Math.imul((b << 5) ^ (b >>> 27) ^ next, 0x27d4eb2f);
            at += 4;
          }
          words |= at ^ firstWordAt;
          if (at === end) break;
        }
        const byte = bytes[at++] as number;
        if (byte !== tab && byte !== newline) {
          word |= byte << (filled << 3);
          if (++filled < 4) continue;
          a = Math.imul(a ^ word, 0x85ebca6b);
          a ^= a >>> 15;
          b = Math.imul((b << 5) ^ (b >>> 27) ^ word, 0x27d4eb2f);
          words = 1;
          word = 0;
          filled = 0;
          continue;
        }
        if (byte === newline && word === endMark && filled === 2 && words === 0 && column === 0) {
          whole = true;
          break;
        }
        const field = finish(a ^ word, b);
        rowA = (rowA + field) | 0;
        rowB = (rowB + Math.imul(field ^ (field >>> 15) ^ b ^ word, 0x2c1b3c6d)) | 0;
        if (byte === newline) {
          sumA = (sumA + finish(rowA, rowB)) | 0;
          sumB = (sumB + finish(rowB ^ 0x5bd1e995, rowA)) | 0;
          rowA = 0;
          rowB = 0;
          column = 0;
          rows++;
        } else {
          column++;
        }
        a = seeds[column] ?? column;
        b = ~a;
        word = 0;
        filled = 0;
        words = 0;
      }
      heldRowA = rowA;
      heldRowB = rowB;
      heldColumn = column;
      heldWords = words;
      heldA = a;
      heldB = b;
      heldWord = word;
      heldFilled = filled;
    },
    get whole() {
      return whole;
    },
    get rows() {
      return rows;
    },
    checksum: () => hex(sumA) + hex(sumB),
  };
}

/** A sum over things that have one text each, for what is not rows: large objects, the names of schema objects. */
export function textChecksum(texts: Iterable<string>): string {
  let [sumA, sumB] = [0, 0];
  for (const text of texts) {
    const [a, b] = [seedOf(text), seedOf(`${text}\n`)];
    sumA = (sumA + finish(a, b)) | 0;
    sumB = (sumB + finish(b, a)) | 0;
  }
  return hex(sumA) + hex(sumB);
}

function finish(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return finish(hash, text.length);
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
