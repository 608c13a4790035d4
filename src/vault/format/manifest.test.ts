import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { expectHardy } from '../../../test/support/fuzz.ts';
import { comparePaths } from '../../core/paths.ts';
import { newUlid } from '../../core/ulid.ts';
import {
  type BodyExtent,
  countByCode,
  decodeManifest,
  differsFrom,
  encodeManifest,
  type Manifest,
} from './manifest.ts';
import { newSigningKey } from './signing.ts';

const pack = 'ab'.repeat(32);
const vault = newUlid(1, randomBytes);

const example: Manifest = {
  vault,
  system: 'harbor',
  dataset: 'app-db',
  kind: 'postgres',
  id: newUlid(2, randomBytes),
  time: '2026-11-21T00:10:14.123Z',
  writer: newSigningKey().publicKey,
  previous: 'ef'.repeat(32),
  chunkKey: new Uint8Array(32).fill(0xc4),
  sizes: { logical: 1_000_001, added: 300, entries: 17 },
  body: {
    sizeBytes: 30,
    sha256: 'cd'.repeat(32),
    extents: [{ pack, offset: 5, length: 30, first: { at: 0, path: 'up\t' } }],
  },
  facts: { database: 'harbor', odd: 'tab\t, newline\n, Ü 😀', ratio: 0.5, nested: { list: [1, null, true] } },
  expectations: { algorithm: 'postgres-rowtext-1', tables: [{ table: '"a ""b"""', rows: 3, checksum: 'x' }] },
  problems: [{ code: 'file-unreadable', message: 'One line.\nAnother.' }],
};

describe('a manifest', () => {
  test('reads back, with what the source says of itself', () => {
    expect(decodeManifest(encodeManifest(example))).toEqual(example);
    const { expectations: _, ...without } = {
      ...example,
      body: { ...example.body, sizeBytes: 0, extents: [] },
      problems: [],
    };
    expect(decodeManifest(encodeManifest(without))).toEqual(without);
  });

  test('is lines that awk can read, whatever its texts hold', () => {
    const lines = Buffer.from(encodeManifest(example)).toString().split('\n');
    expect(lines.slice(0, 14)).toEqual([
      'lifeboat-manifest\t1',
      `vault\t${vault}`,
      'system\tharbor',
      'dataset\tapp-db',
      'kind\tpostgres',
      `id\t${example.id}`,
      'time\t2026-11-21T00:10:14.123Z',
      `writer\t${example.writer}`,
      `previous\t${'ef'.repeat(32)}`,
      `chunk-key\t${'c4'.repeat(32)}`,
      'sizes\t1000001\t300\t17',
      `body\t${'cd'.repeat(32)}\t30`,
      `extent\t${pack}\t5\t30\t0\tup%09`,
      expect.stringMatching(/^facts\t\{/),
    ]);
    expect(lines.slice(-3)).toEqual([expect.stringMatching(/^problems\t\[/), 'end', '']);
  });

  test('keeps any pieces whose lengths add up to the body, and which entry is the first in each', () => {
    const { first, ...later } = example.body.extents[0]!;
    const piece = fc.record({
      length: fc.integer({ min: 1, max: 2 ** 40 }),
      at: fc.option(fc.double({ min: 0, max: 0.99, noNaN: true })),
    });
    const paths = fc.uniqueArray(
      fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)), minLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), paths, (pieces, names) => {
        const left = names.sort(comparePaths);
        const extents = pieces.map(({ length, at }, index): BodyExtent => {
          const path = index === 0 ? 'a' : at === null ? undefined : left.find((name) => comparePaths(name, 'a') > 0);
          if (path !== undefined && index > 0) left.splice(0, left.indexOf(path) + 1);
          const begins = path === undefined ? undefined : { at: index === 0 ? 0 : Math.floor(length * at!), path };
          return { ...later, length, ...(begins && { first: begins }) };
        });
        const sizeBytes = extents.reduce((sum, one) => sum + one.length, 0);
        const manifest = { ...example, body: { ...example.body, sizeBytes, extents } };
        expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest);
      }),
    );
  });

  test('says where entries begin in order, from its first byte, and by paths as they are spelled', () => {
    const piece = { pack, offset: 0, length: 10 };
    const first = { at: 0, path: 'a' };
    const wrong: BodyExtent[][] = [
      [piece],
      [{ ...piece, first: { at: 1, path: 'a' } }],
      [
        { ...piece, first },
        { ...piece, first: { at: 10, path: 'b' } },
      ],
      [
        { ...piece, first },
        { ...piece, first: { at: 3, path: 'a' } },
      ],
      [{ ...piece, first: { at: 0, path: 'b' } }, piece, { ...piece, first }],
      [{ ...piece, first: { at: 0, path: '' } }],
      [{ ...piece, pack: '-', first }],
    ];
    for (const extents of wrong) {
      const sizeBytes = extents.length * 10;
      const manifest = { ...example, body: { ...example.body, sizeBytes, extents } };
      expect(() => encodeManifest(manifest)).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
    }
    const text = Buffer.from(encodeManifest(example)).toString();
    const odd = ['\t0\tup%41', '\t0\tup\x00', '\t00\tup', '\t0', '\t0\tup\t', '\t-\tup', '\t0\tup\xff'];
    for (const more of odd) {
      expect(() => decodeManifest(Buffer.from(text.replace('\t0\tup%09', more)))).toThrow(
        expect.objectContaining({ code: 'manifest-damaged' }),
      );
    }
  });

  test('belongs to one record: whatever ties them, changed, is seen', () => {
    const problems = countByCode(example.problems);
    const record = { ...example, sizes: { logical: 1_015_808, added: 304, entries: 18 }, problems };
    expect(differsFrom(record, example)).toBeUndefined();
    expect(differsFrom({ ...record, problems: { ...problems, other: 1 } }, example)).toBe('problems');
    const others: Partial<Manifest>[] = [
      { vault: newUlid(3, randomBytes) },
      { system: 'other' },
      { dataset: 'other' },
      { kind: 'files' },
      { id: newUlid(3, randomBytes) },
      { time: '2026-11-22T00:10:14.123Z' },
      { writer: newSigningKey().publicKey },
      { previous: null },
    ];
    for (const other of others)
      expect(differsFrom({ ...record, ...other, problems }, example)).toBe(Object.keys(other)[0]);
    for (const name of ['logical', 'added', 'entries'] as const) {
      expect(differsFrom({ ...record, sizes: { ...record.sizes, [name]: 0 } }, example)).toBe('sizes');
      expect(differsFrom(record, { ...example, sizes: { ...example.sizes, [name]: 400 } })).toBe('sizes');
    }
  });

  test('of later programs may have lines after the problems, which are passed over', () => {
    const text = Buffer.from(encodeManifest(example)).toString();
    expect(decodeManifest(Buffer.from(text.replace(/end\n$/, 'moment\tx\ty\nend\n')))).toEqual(example);
    for (const line of ['Moment\tx\n', 'moment\n', '\n', 'moment\tx']) {
      const odd = Buffer.from(text.replace(/end\n$/, `${line}end\n`));
      expect(() => decodeManifest(odd)).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
    }
  });

  test('that no reader would take is not made', () => {
    const wrong: Partial<Manifest>[] = [
      { body: { ...example.body, sizeBytes: 31 } },
      { dataset: '../x' },
      { system: '../x' },
      { time: '2026-11-21' },
      { writer: 'x' },
      { previous: '' },
      { kind: 'a\nb' },
      { chunkKey: new Uint8Array(31) },
      { vault: 'x' },
    ];
    for (const change of wrong) {
      expect(() => encodeManifest({ ...example, ...change })).toThrow(
        expect.objectContaining({ code: 'manifest-damaged' }),
      );
    }
  });

  test('cut, or with a line too many, too few or out of order, is typed damage', () => {
    const text = Buffer.from(encodeManifest(example)).toString();
    const lines = text.split('\n');
    const broken = [
      text.slice(0, -1),
      lines.toSpliced(3, 1).join('\n'),
      lines.toSpliced(3, 0, 'more\t1').join('\n'),
      [lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n'),
      `${text}end\n`,
      text.replace('extent\t', 'extent\tx'),
      text.replace('\t5\t30', '\t5\t30\t1'),
      text.replace('\t5\t30', '\t5\t31'),
    ];
    for (const one of broken) {
      expect(() => decodeManifest(Buffer.from(one))).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
    }
    const later = Buffer.from(text.replace('manifest\t1', 'manifest\t2'));
    expect(() => decodeManifest(later)).toThrow(expect.objectContaining({ code: 'format-newer' }));
  });

  test('of nothing but newlines costs no more memory than its size', () => {
    const bytes = Buffer.alloc(64 * 1024 * 1024, '\n');
    bytes.write('lifeboat-manifest\t1');
    const before = process.memoryUsage().heapUsed;
    expect(() => decodeManifest(bytes)).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(128 * 1024 * 1024);
  });

  test('never crashes the decoder', () => {
    expectHardy(decodeManifest, encodeManifest(example), ['manifest-damaged', 'format-newer']);
    const deep = Buffer.from(encodeManifest(example))
      .toString()
      .replace(/facts\t.*/, `facts\t${'{"a":'.repeat(50_000)}`);
    expect(() => decodeManifest(Buffer.from(deep))).toThrow(expect.objectContaining({ code: 'manifest-damaged' }));
  });
});
