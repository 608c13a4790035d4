import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { DumpBroken, dumpReader } from './dump-reader.ts';
import { columnsOf, type DumpEntry, DumpUnknown } from './dump-toc.ts';

/** Writes the format as pg_dump does. */
function dump(
  format: number,
  tables: readonly { tag: string; chunks: readonly string[] }[],
  objects: readonly string[] = [],
) {
  const int = (value: number) => {
    const bytes = Buffer.alloc(5);
    bytes[0] = value < 0 ? 1 : 0;
    bytes.writeUInt32LE(Math.abs(value), 1);
    return bytes;
  };
  const text = (value: string | undefined) =>
    value === undefined ? int(-1) : Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);
  const entry = (id: number, tag: string, kind: string) =>
    Buffer.concat([
      ...[int(id), int(1), text('0'), text(String(16_000 + id)), text(tag), text(kind), int(3), text(''), text('')],
      ...[text(`COPY public.${tag} (a, b) FROM stdin;\n`), text('public'), text(undefined), text(undefined)],
      ...(format >= 116 ? [int(0)] : []),
      ...[text('owner'), text('false'), text('7'), text('8'), text(undefined), Buffer.alloc(9)],
    ]);
  const chunked = (chunks: readonly string[]) => Buffer.concat([...chunks.map(text), int(0)]);
  const withObjects = objects.length > 0;
  return Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.from([1, format - 100, 0, 4, 8, 1]),
    format >= 115 ? Buffer.from([0]) : int(0),
    ...[1, 2, 3, 4, 5, 125, 0].map(int),
    ...[text('db'), text('15.1'), text('15.2'), int(tables.length + (withObjects ? 1 : 0))],
    ...tables.map(({ tag }, at) => entry(at + 1, tag, 'TABLE DATA')),
    ...(withObjects ? [entry(99, 'BLOBS', 'BLOBS')] : []),
    ...tables.flatMap(({ chunks }, at) => [Buffer.from([1]), int(at + 1), chunked(chunks)]),
    ...(withObjects
      ? [Buffer.from([3]), int(99), ...objects.flatMap((bytes, at) => [int(at + 1), chunked([bytes])]), int(0)]
      : []),
  ]);
}

function read(bytes: Uint8Array, cuts: readonly number[] = []) {
  const seen: string[] = [];
  let entries: readonly DumpEntry[] = [];
  const sink = (name: string) => {
    const parts: Buffer[] = [];
    return {
      add: (from: Uint8Array, _view: DataView, start: number, end: number) =>
        void parts.push(Buffer.from(from.slice(start, end))),
      close: () => void seen.push(`${name}=${Buffer.concat(parts).toString()}`),
    };
  };
  const reader = dumpReader({
    toc: (_header, all) => {
      entries = all;
    },
    table: ({ tag }) => sink(tag),
    largeObject: (oid) => sink(String(oid)),
  });
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let at = 1; at < borders.length; at++) reader.push(bytes.subarray(borders[at - 1], borders[at]));
  reader.end();
  return { seen, entries };
}

const tables = fc.array(
  fc.record({
    tag: fc.stringMatching(/^[a-z]{1,8}$/),
    chunks: fc.array(fc.string({ minLength: 1, maxLength: 30 }), { maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 4 },
);

describe.each([114, 115, 116])('format %i', (format) => {
  test('is read the same wherever it is cut', () => {
    fc.assert(
      fc.property(
        tables,
        fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (list, objects, cuts) => {
          const { seen, entries } = read(dump(format, list, objects), cuts);
          expect(seen).toEqual([
            ...list.map(({ tag, chunks }) => `${tag}=${chunks.join('')}`),
            ...objects.map((bytes, at) => `${at + 1}=${bytes}`),
          ]);
          expect(entries[0]).toMatchObject({ tag: list[0]?.tag, owner: 'owner', dependsOn: [7, 8], oid: '16001' });
        },
      ),
    );
  });

  test('is never whole when its end is missing', () => {
    const whole = dump(
      format,
      [
        { tag: 'a', chunks: ['1\n', '2\n'] },
        { tag: 'b', chunks: [] },
      ],
      ['x', 'y'],
    );
    for (let length = 0; length < whole.length; length++) {
      expect(() => read(whole.subarray(0, length)), `${length} bytes`).toThrow(DumpBroken);
    }
    read(whole);
  });

  test('no damage makes it fail in another way than said', () => {
    const whole = dump(format, [{ tag: 'a', chunks: ['1\n', '2\n'] }], ['x']);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        try {
          read(bytes);
        } catch (error) {
          expect(error instanceof DumpBroken || error instanceof DumpUnknown, String(error)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test('a format of the future is refused, not guessed', () => {
  expect(() => read(dump(117, [{ tag: 'a', chunks: [] }]))).toThrow(DumpUnknown);
});

test.each([
  ['COPY public.t (a, b) FROM stdin;\n', ['a', 'b']],
  ['COPY public."odd (name)" ("a b, (c)", "say ""hi""", plain) FROM stdin;\n', ['"a b, (c)"', '"say ""hi"""', 'plain']],
  ['COPY public.nothing  FROM stdin;\n', []],
  ['COPY "s.x"."t" (id) FROM stdin;\n', ['id']],
])('the columns of %j', (copy, columns) => {
  expect(columnsOf(copy)).toEqual(columns);
});
