import { expect, test } from 'vitest';
import { columnChecksum } from '../../src/sources/postgres/column-checksum.ts';
import { type RowChecksum, rowChecksum, textChecksum } from '../../src/sources/row-checksum.ts';
import fc from '../support/fast-check.ts';
import { fieldsChecksum, rowsChecksum, textsChecksum } from './row-text.ts';

/** As COPY prints a field: any bytes but controls, which are escaped. */
const field = fc
  .array(fc.oneof(fc.integer({ min: 14, max: 255 }), fc.constantFrom(92, 46, 110)), { maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 92 ? 47 : byte))));
const columns = fc.array(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 });
const table = columns.chain((names) =>
  fc.record({
    names: fc.constant(names),
    rows: fc.array(fc.array(field, { minLength: names.length, maxLength: names.length }), { maxLength: 8 }),
    cut: fc.integer({ min: 1, max: 30 }),
  }),
);

const join = (parts: readonly Buffer[], by: string) =>
  Buffer.concat(parts.flatMap((part, at) => (at === 0 ? [part] : [Buffer.from(by), part])));

/** By the product, in pieces. */
function taken(checksum: RowChecksum, rows: readonly Buffer[], cut: number): string {
  const all = Buffer.concat([...rows.map((row) => Buffer.concat([row, Buffer.from('\n')])), Buffer.from('\\.\n')]);
  for (let at = 0; at < all.length; at += cut) {
    const view = new DataView(all.buffer, all.byteOffset, all.length);
    checksum.add(all, view, at, Math.min(all.length, at + cut));
  }
  expect(checksum.whole).toBe(true);
  return checksum.checksum();
}

test('B3: postgres-rowtext-1 by the page alone is what the product computes, for any rows, columns and cuts', () => {
  fc.assert(
    fc.property(table, ({ names, rows, cut }) => {
      const lines = rows.map((fields) => join(fields, '\t'));
      expect(rowsChecksum(names, lines)).toBe(taken(rowChecksum(names), lines, cut));
      expect(fieldsChecksum(names, rows)).toBe(taken(columnChecksum(names), lines, cut));
    }),
    { numRuns: 300 },
  );
});

test('B3: the sum of texts too', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
      expect(textsChecksum(texts)).toBe(textChecksum(texts));
    }),
  );
});
