import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { type RowChecksum, rowChecksum } from '../row-checksum.ts';
import { columnChecksum } from './column-checksum.ts';

const end = '\\.\n\n\n';

function sumOf(make: () => RowChecksum, text: string, cuts: readonly number[] = []): { sum: string; rows: number } {
  const bytes = Buffer.from(text, 'utf8');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const checksum = make();
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let at = 1; at < borders.length; at++) checksum.add(bytes, view, borders[at - 1]!, borders[at]!);
  expect(checksum.whole).toBe(true);
  return { sum: checksum.checksum(), rows: checksum.rows };
}

/** COPY's text of a field. */
const field = fc
  .string({ unit: 'binary', maxLength: 20 })
  .map((text) => text.replaceAll('\0', '').replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t'));
const rows = fc.array(fc.tuple(field, field, field), { maxLength: 12 });
const textOf = (table: readonly (readonly string[])[]) => `${table.map((row) => `${row.join('\t')}\n`).join('')}${end}`;

describe.each([
  ['rowChecksum', () => rowChecksum(['a', 'b', 'c'])],
  ['columnChecksum', () => columnChecksum(['a', 'b', 'c'])],
])('%s', (_name, make) => {
  test('is the same wherever the bytes are cut', () => {
    fc.assert(
      fc.property(rows, fc.array(fc.nat(), { maxLength: 30 }), (table, cuts) => {
        expect(sumOf(make, textOf(table), cuts)).toEqual(sumOf(make, textOf(table)));
      }),
    );
  });

  test('is the same in whatever order the rows come, and counts them', () => {
    fc.assert(
      fc.property(rows, (table) => {
        const was = sumOf(make, textOf(table));
        expect(sumOf(make, textOf(table.toReversed()))).toEqual(was);
        expect(was.rows).toBe(table.length);
      }),
    );
  });

  test('changes with any field', () => {
    fc.assert(
      fc.property(rows, fc.nat(), fc.nat(2), field, (table, row, column, value) => {
        fc.pre(table.length > 0 && table[row % table.length]![column] !== value);
        const changed = table.map((fields, at) => (at === row % table.length ? fields.with(column, value) : fields));
        expect(sumOf(make, textOf(changed)).sum).not.toBe(sumOf(make, textOf(table)).sum);
      }),
    );
  });

  test.each([
    ['values change places between rows', 'x\t1\t\ny\t2\t\n', 'x\t2\t\ny\t1\t\n'],
    ['values change places within a row', '1\t2\t3\n', '2\t1\t3\n'],
    ['a value moves to the next column', 'ab\t\t\n', '\tab\t\n'],
    ['a row comes twice', 'a\tb\tc\n', 'a\tb\tc\na\tb\tc\n'],
    ['an empty text becomes NULL', '\t\t\n', '\\N\t\t\n'],
    ['two equal rows become two other equal rows', 'a\tb\tc\na\tb\tc\n', 'a\tb\td\na\tb\td\n'],
  ])('differs when %s', (_what, was, is) => {
    expect(sumOf(make, is + end).sum).not.toBe(sumOf(make, was + end).sum);
  });

  test('knows rows without columns from the end of the data', () => {
    expect(sumOf(make, `\n\n\n${end}`).rows).toBe(3);
    expect(sumOf(make, end).rows).toBe(0);
    const cut = make();
    cut.add(Buffer.from('a\n\\'), new DataView(new ArrayBuffer(3)), 0, 3);
    expect(cut.whole).toBe(false);
  });

  test('has few collisions among rows that differ little', () => {
    const sums = new Set<string>();
    for (let n = 0; n < 20_000; n++) sums.add(sumOf(make, `${n}\t${n % 7}\t0\n${end}`).sum);
    expect(sums.size).toBe(20_000);
  });
});

test('columnChecksum is the same in whatever order the columns come', () => {
  fc.assert(
    fc.property(rows, (table) => {
      const turned = table.map(([a, b, c]) => [c, a, b]);
      const was = sumOf(() => columnChecksum(['a', 'b', 'c']), textOf(table));
      expect(sumOf(() => columnChecksum(['c', 'a', 'b']), textOf(turned))).toEqual(was);
    }),
  );
});

test('a column under another name is another table', () => {
  const text = `1\t2\n${end}`;
  for (const make of [rowChecksum, columnChecksum]) {
    expect(sumOf(() => make(['a', 'b']), text).sum).not.toBe(sumOf(() => make(['a', 'x']), text).sum);
  }
});
