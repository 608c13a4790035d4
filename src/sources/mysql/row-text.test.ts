import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { rowChecksum } from '../row-checksum.ts';
import type { Column } from './objects.ts';
import { insertsOf, rowTextOf } from './row-text.ts';

/** A value of the protocol: its length before it. */
function asSent(value: Buffer | null): Buffer {
  if (value === null) return Buffer.from([0xfb]);
  const length = Buffer.alloc(9);
  length.writeUIntLE(value.length, 1, 6);
  const width = value.length < 0xfb ? 0 : value.length < 2 ** 16 ? 2 : value.length < 2 ** 24 ? 3 : 8;
  length[0] = width === 0 ? value.length : { 2: 0xfc, 3: 0xfd, 8: 0xfe }[width]!;
  return Buffer.concat([length.subarray(0, 1 + width), value]);
}

/** What the server makes of a value in a statement. */
function asRead(written: string): Buffer | null {
  if (written === 'NULL') return null;
  const hex = /^x'((?:[0-9a-f]{2})+)'$/.exec(written)?.[1];
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  const bits = /^b'([01]*)'$/.exec(written)?.[1];
  if (bits !== undefined) return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const text = /^'((?:[^'\\]|\\.)*)'$/s.exec(written)?.[1];
  if (text === undefined) return Buffer.from(written, 'latin1');
  const letters: Record<string, string> = { '0': '\0', n: '\n', r: '\r', Z: '\x1a' };
  return Buffer.from(
    text.replace(/\\(.)/gs, (_, letter: string) => letters[letter] ?? letter),
    'latin1',
  );
}

const value = "NULL|x'[0-9a-f]*'|b'[01]*'|'(?:[^'\\\\]|\\\\.)*'|[\\d.e+-]+";

const columns: readonly Column[] = [
  { name: 'number', type: 'decimal' },
  { name: 'bits', type: 'bit' },
  { name: 'unicode', type: 'text', charset: 'utf8mb4' },
  { name: 'western', type: 'varchar', charset: 'latin1' },
  { name: 'japanese', type: 'varchar', charset: 'sjis' },
  { name: 'uuid', type: 'uuid' },
  { name: 'bytes', type: 'longblob' },
];

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
  // Where a length takes more bytes.
  fc.constantFrom(250, 251, 252).map((length) => new Uint8Array(length).fill(0x27)),
);
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => new TextEncoder().encode(text));
const number = fc.bigInt().map((one) => new TextEncoder().encode(String(one)));
const bit = fc.uint8Array({ minLength: 1, maxLength: 8 });
const row = fc.tuple(
  ...[number, bit, bytes, bytes, bytes, ascii, bytes].map((one) =>
    fc.option(one, { nil: null }).map((made) => made && Buffer.from(made)),
  ),
);

test('whatever bytes a value has, its statement holds them, and no line break but between rows', async () => {
  const text = rowTextOf({ name: 't', create: '', engine: 'InnoDB', versioned: false, columns });
  const one = new RegExp(`^\\((${value})${`,(${value})`.repeat(columns.length - 1)}\\)$`, 's');
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
      const sent = rows.map((values) => Buffer.concat(values.map(asSent)));
      const sum = rowChecksum(columns.map(({ name }) => name));
      const [half, most] = [sent.slice(0, sent.length >> 1), sent.slice(sent.length >> 1)];
      const batches = (async function* () {
        yield half;
        yield most;
      })();
      const all = Buffer.concat(await Array.fromAsync(insertsOf(text, batches, sum, '$$end'))).toString('latin1');
      expect([all.slice(0, text.insert.length), all.slice(-'$$end\n'.length)]).toEqual([text.insert, '$$end\n']);
      const lines = all.slice(text.insert.length, -'$$end\n'.length).split(',\n');
      expect(sum.rows).toBe(rows.length);
      expect(lines.map((line) => one.exec(line)?.slice(1).map(asRead))).toEqual(rows);
      const lined = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
      const again = rowChecksum(columns.map(({ name }) => name));
      again.add(lined, new DataView(lined.buffer, lined.byteOffset, lined.length), 0, lined.length);
      expect(sum.checksum()).toBe(again.checksum());
    }),
  );
});

test('a statement ends where it is large enough, and the next one begins like it', async () => {
  const text = rowTextOf({ name: 't', create: '', engine: 'InnoDB', versioned: false, columns: [columns[6]!] });
  const sent = asSent(Buffer.alloc(300_000, 0xff));
  const sum = rowChecksum(['bytes']);
  const batches = (async function* () {
    yield [sent, sent, sent, asSent(Buffer.alloc(65_535, 0xff)), asSent(Buffer.alloc(3_000_000, 0xff))];
  })();
  const all = Buffer.concat(await Array.fromAsync(insertsOf(text, batches, sum, '$$end'))).toString('latin1');
  const statements = all.split('$$end\n').slice(0, -1);
  expect(statements.map((one) => [one.startsWith(text.insert), one.split('x').length - 1])).toEqual([
    [true, 2],
    [true, 3],
  ]);
  expect(sum.rows).toBe(5);
});
