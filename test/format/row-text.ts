// `postgres-rowtext-1`, from docs/vault-format.md alone.

const product = (a: number, b: number) => Number((BigInt(a) * BigInt(b)) & 0xffffffffn);
const xor = (...all: readonly number[]) => all.reduce((x, y) => (x ^ y) >>> 0, 0);
const not = (a: number) => ~a >>> 0;
const turned = (a: number) => ((a << 5) | (a >>> 27)) >>> 0;

function finish(a: number, b: number): number {
  let h = xor(a, product(b, 0x165667b1));
  h = product(xor(h, h >>> 16), 0x85ebca6b);
  h = product(xor(h, h >>> 13), 0xc2b2ae35);
  return xor(h, h >>> 16);
}

function seed(text: string): number {
  let h = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) h = product(xor(h, text.charCodeAt(at)), 0x01000193);
  return finish(h, text.length);
}

/** Whole words, and what is left over. */
function wordsOf(bytes: Buffer): { readonly words: readonly number[]; readonly rest: number } {
  const count = bytes.length >> 2;
  const words = Array.from({ length: count }, (_, at) => bytes.readUInt32LE(4 * at));
  const tail = bytes.subarray(4 * count);
  return { words, rest: tail.length === 0 ? 0 : tail.readUIntLE(0, tail.length) };
}

const written = (sums: readonly [number, number]) => sums.map((sum) => sum.toString(16).padStart(8, '0')).join('');
type Sums = readonly [number, number];
const summed = (all: readonly Sums[]): string =>
  written(all.reduce(([a, b], [c, d]): Sums => [(a + c) % 2 ** 32, (b + d) % 2 ** 32], [0, 0] as Sums));

export function rowsChecksum(columns: readonly string[], rows: readonly Buffer[]): string {
  return summed(
    rows.map((row) => {
      let a = seed(columns.join(','));
      let b = not(a);
      const { words, rest } = wordsOf(row);
      for (const [at, word] of words.entries()) {
        if (at % 2 === 0) {
          a = product(xor(a, word), 0x85ebca6b);
          a = xor(a, a >>> 15);
        } else {
          b = product(xor(b, word), 0x27d4eb2f);
          b = xor(b, b >>> 13);
        }
      }
      a = xor(a, rest);
      return [finish(a, b), finish(xor(b, product(words.length, 0x9e3779b1)), a)];
    }),
  );
}

/** Of a table that inherits columns. @param rows their fields */
export function fieldsChecksum(columns: readonly string[], rows: ReadonlyArray<readonly Buffer[]>): string {
  return summed(
    rows.map((fields) => {
      let [x, y] = [0, 0];
      for (const [at, field] of fields.entries()) {
        let a = seed(columns[at]!);
        let b = not(a);
        const { words, rest } = wordsOf(field);
        for (const word of words) {
          a = product(xor(a, word), 0x85ebca6b);
          a = xor(a, a >>> 15);
          b = product(xor(turned(b), word), 0x27d4eb2f);
        }
        const f = finish(xor(a, rest), b);
        x = (x + f) % 2 ** 32;
        y = (y + product(xor(f, f >>> 15, b, rest), 0x2c1b3c6d)) % 2 ** 32;
      }
      return [finish(x, y), finish(xor(y, 0x5bd1e995), x)];
    }),
  );
}

export function textsChecksum(texts: readonly string[]): string {
  return summed(
    texts.map((text) => {
      const [p, q] = [seed(text), seed(`${text}\n`)];
      return [finish(p, q), finish(q, p)];
    }),
  );
}
