import { endMark, finish, hex, newline, type RowChecksum, seedOf, tab } from '../row-checksum.ts';

/**
 * The checksum of rows whose columns may come back in another order: an inherited table's, which a restore begins with its
 * parent's columns. Each field is hashed together with its column's name, and a row is the sum of its fields. Slower than
 * `rowChecksum`, which is for all other tables.
 */
export function columnChecksum(columns: readonly string[]): RowChecksum {
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
