/**
 * Counts and checksums the rows of one table as they pass by, one a line, whatever their order: a restore may put them
 * in other places. A row is hashed word by word into two lanes of 32 bits, a table is the sum of its rows. The hash guards
 * against mistakes, not against forgers: the bytes themselves are under the vault's SHA-256.
 *
 * Hashing in the server (`hashtextextended(t::text, 0)`) takes as long as the whole dump again; here it takes a twentieth, and
 * COPY's text is the one form of a row that PostgreSQL keeps stable between versions. Of MySQL it is the text of its INSERTs.
 */
export interface RowChecksum {
  /** Takes bytes of the table's data, cut anywhere. `view` spans the same memory as `bytes`. */
  add(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** After the last byte: whether the end of the data was marked. Without the mark, rows are missing. */
  readonly whole: boolean;
  readonly rows: number;
  checksum(): string;
}

export const tab = 9;
export const newline = 10;
/** `\.` on a line of its own ends the data. A row never looks like it: in rows a backslash is doubled. */
export const endMark = 0x2e5c;

export function rowChecksum(columns: readonly string[]): RowChecksum {
  const seed = seedOf(columns.join());
  let rows = 0;
  let whole = false;
  let [sumA, sumB] = [0, 0];
  // What is left over between two calls: the row's lanes, its words so far, and up to three bytes that do not fill one yet.
  let [heldA, heldB, heldWords] = [seed, ~seed, 0];
  let [heldWord, heldFilled] = [0, 0];

  return {
    add(bytes, view, start, end) {
      // Locals: the loop is the whole cost, and an engine keeps only these in registers.
      let [a, b, words, word, filled] = [heldA, heldB, heldWords, heldWord, heldFilled];
      let at = start;
      while (at < end && !whole) {
        if (filled === 0 && (words & 1) === 0) {
          const from = at;
          while (at + 8 <= end) {
            const first = view.getInt32(at, true);
            const second = view.getInt32(at + 4, true);
            // Is any of the eight bytes a newline?
            const x = first ^ 0x0a0a0a0a;
            const y = second ^ 0x0a0a0a0a;
            if ((((x - 0x01010101) & ~x) | ((y - 0x01010101) & ~y)) & 0x80808080) break;
            a = Math.imul(a ^ first, 0x85ebca6b);
            a ^= a >>> 15;
            b = Math.imul(b ^ second, 0x27d4eb2f);
            b ^= b >>> 13;
            at += 8;
          }
          words += (at - from) >>> 2;
          if (at + 4 <= end) {
            const next = view.getInt32(at, true);
            const x = next ^ 0x0a0a0a0a;
            if (((x - 0x01010101) & ~x & 0x80808080) === 0) {
              a = Math.imul(a ^ next, 0x85ebca6b);
              a ^= a >>> 15;
              words++;
              at += 4;
            }
          }
          if (at === end) break;
        }
        const byte = bytes[at++] as number;
        if (byte !== newline) {
          word |= byte << (filled << 3);
          if (++filled < 4) continue;
          if ((words & 1) === 0) {
            a = Math.imul(a ^ word, 0x85ebca6b);
            a ^= a >>> 15;
          } else {
            b = Math.imul(b ^ word, 0x27d4eb2f);
            b ^= b >>> 13;
          }
          words++;
          word = 0;
          filled = 0;
          continue;
        }
        if (word === endMark && filled === 2 && words === 0) {
          whole = true;
          break;
        }
        a ^= word;
        sumA = (sumA + finish(a, b)) | 0;
        sumB = (sumB + finish(b ^ Math.imul(words, 0x9e3779b1), a)) | 0;
        rows++;
        a = seed;
        b = ~seed;
        words = 0;
        word = 0;
        filled = 0;
      }
      heldA = a;
      heldB = b;
      heldWords = words;
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

export function finish(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return finish(hash, text.length);
}

export function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
