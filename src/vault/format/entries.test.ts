import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { expectHardy } from '../../../test/support/fuzz.ts';
import type { StoredEntry } from '../../core/entry.ts';
import { isSafePath } from '../../core/paths.ts';
import { decodeEntry, EXTENTS_PER_LINE, encodeEntry, type LocatedEntry, MAX_LINE_SIZE } from './entries.ts';
import { newEntryReader, newLineSplitter } from './entry-lines.ts';
import type { Extent } from './manifest.ts';

const byteString = (constraints: fc.IntArrayConstraints) =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes).toString('latin1'));
const noNul = (text: string) => !text.includes('\0');
const names = fc.oneof(
  byteString({ minLength: 1, maxLength: 12 }),
  fc.constantFrom('-', '%41', 'a\tb', 'x\ny', '+', ' '),
);
const paths = fc
  .array(names, { minLength: 1, maxLength: 4 })
  .map((list) => list.join('/'))
  .filter(isSafePath);
const targets = byteString({ minLength: 1, maxLength: 30 }).filter(noNul);
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const ids = fc.nat(0xffff_ffff);
const xattrs = fc.dictionary(byteString({ minLength: 1, maxLength: 10 }).filter(noNul), byteString({ maxLength: 20 }), {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});

const metadata = {
  path: paths,
  mode: fc.nat(0o7777),
  uid: ids,
  gid: ids,
  mtimeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
};
type Needed = 'path' | 'mode' | 'uid' | 'gid' | 'mtimeNs';
const needed: Needed[] = ['path', 'mode', 'uid', 'gid', 'mtimeNs'];
const device = fc.record({ major: ids, minor: ids });

const others: fc.Arbitrary<LocatedEntry> = fc
  .oneof(
    fc.record(
      { ...metadata, xattrs, type: fc.constantFrom('folder', 'fifo', 'socket') },
      { requiredKeys: [...needed, 'type'] },
    ),
    fc.record({ ...metadata, type: fc.constant('symlink'), target: targets }),
    fc.record({ ...metadata, type: fc.constant('hardlink'), target: paths }),
    fc.record({ ...metadata, type: fc.constantFrom('character-device', 'block-device'), device }),
  )
  .map((entry) => ({ entry: entry as StoredEntry, extents: [] }));

const extents: fc.Arbitrary<Extent> = fc.oneof(
  fc.record({ pack: hex, offset: fc.nat(2 ** 40), length: fc.integer({ min: 1, max: 2 ** 40 }) }),
  fc.record({ pack: fc.constant(null), offset: fc.constant(0), length: fc.integer({ min: 1, max: 2 ** 40 }) }),
);

const files: fc.Arbitrary<LocatedEntry> = fc
  .tuple(
    fc.record({ ...metadata, xattrs, sha256: hex, sparse: fc.constant(true) }, { requiredKeys: [...needed, 'sha256'] }),
    fc
      .array(extents, { maxLength: 5 })
      .map((list) => list.filter(({ pack }, at) => pack !== null || list[at - 1]?.pack !== null)),
  )
  .map(([entry, list]) => ({
    entry: { type: 'file', ...entry, sizeBytes: list.reduce((sum, extent) => sum + extent.length, 0) } as StoredEntry,
    extents: list,
  }));

const located = fc.oneof(others, files);
const encode = ({ entry, extents: list }: LocatedEntry) => encodeEntry(entry, list);

const sha256 = '0'.repeat(64);
const plain = { type: 'file', path: 'a/b', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, sizeBytes: 0, sha256 } as const;

describe('the line of an entry', () => {
  test('reads back, is one line of printable ASCII, and is the same for the same entry', () => {
    fc.assert(
      fc.property(located, (one) => {
        const line = encode(one);
        expect(line).toMatch(/^[\x20-\x7e\t]+\n$/);
        expect(decodeEntry(line)).toEqual(one);
        expect(encode(decodeEntry(line))).toBe(line);
      }),
    );
  });

  test('looks as docs/vault-format.md says', () => {
    const pack = 'ab'.repeat(32);
    const entry: StoredEntry = {
      ...plain,
      path: 'uploads/Ü 100%\n',
      mode: 0o4755,
      uid: 33,
      mtimeNs: -1n,
      sizeBytes: 12,
      sparse: true,
      xattrs: { 'user.b': 'x=y,z', 'user.a': '\0' },
    };
    const line = encodeEntry(entry, [
      { pack, offset: 7, length: 5 },
      { pack: null, offset: 0, length: 7 },
    ]);
    expect(line).toBe(
      `f\tuploads/%dc 100%25%0a\t4755\t33\t0\t-0.000000001\t12\t${sha256}\t${pack}:7:5,-:0:7\tsparse,x:user.a=%00,x:user.b=x%3dy%2cz\n`,
    );
  });

  test('of a file of many extents goes on in further lines, none of them long', () => {
    const list = Array.from({ length: 2 * EXTENTS_PER_LINE + 1 }, (_, at) => ({
      pack: 'ab'.repeat(32),
      offset: at * 2,
      length: 1,
    }));
    const entry: StoredEntry = { ...plain, sizeBytes: list.length };
    const text = encodeEntry(entry, list);
    const lines = text.split('\n');
    expect(lines.length).toBe(4);
    expect(lines.slice(1, 3).every((line) => line.startsWith('+\t'))).toBe(true);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(100_000);
    expect(decodeEntry(text)).toEqual({ entry, extents: list });
    expect(readAll(Buffer.from(text))).toEqual([{ entry, extents: list }]);
  });

  test('can be undone by awk with one loop', () => {
    const text = "Ü 100%\n-\t'\xff";
    const line = encodeEntry({ ...plain, path: text }, []);
    const program =
      '{ n = split($2, part, "%"); out = part[1]; for (i = 2; i <= n; i++) out = out byte[substr(part[i], 1, 2)] substr(part[i], 3); printf "%s", out }';
    const begin = 'BEGIN { for (i = 1; i < 256; i++) byte[sprintf("%02x", i)] = sprintf("%c", i) }';
    const shown = execFileSync('awk', ['-F', '\t', `${begin} ${program}`], {
      input: line,
      env: { ...process.env, LC_ALL: 'C' },
    });
    expect(shown.toString('latin1')).toBe(text);
  });

  test('is refused when no restore could write it', () => {
    for (const path of ['', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a\0']) {
      expect(() => encodeEntry({ ...plain, path }, [])).toThrow(expect.objectContaining({ code: 'entry-invalid' }));
    }
    const long = { ...plain, xattrs: { 'user.a': '\0'.repeat(MAX_LINE_SIZE / 3) } };
    expect(() => encodeEntry(long, [])).toThrow(expect.objectContaining({ code: 'entry-invalid' }));
  });
});

describe('a damaged or hostile line', () => {
  test('is typed damage that names its field', () => {
    const good = encodeEntry({ ...plain, sizeBytes: 3 }, [{ pack: 'ab'.repeat(32), offset: 1, length: 3 }])
      .trimEnd()
      .split('\t');
    const bad: [number, string, string][] = [
      [0, 'x', 'type'],
      [1, '../etc', 'path'],
      [1, 'a%2', 'path'],
      [1, 'a\x80', 'path'],
      [1, '%2e%2e/x', 'path'],
      [1, '%61', 'path'],
      [1, 'a%2fb', 'path'],
      [2, '0644', 'mode'],
      [2, '17777', 'mode'],
      [3, '-1', 'uid'],
      [4, '4294967296', 'gid'],
      [5, '1.5', 'mtime'],
      [5, '-0.000000000', 'mtime'],
      [6, '4', 'extents'],
      [6, '9007199254740993', 'size'],
      [7, 'AB', 'sha256'],
      [8, 'x:1:3', 'extent 0'],
      [8, `${'ab'.repeat(32)}:9007199254740991:3`, 'extent 0'],
      [8, '-:1:3', 'extent 0'],
      [8, '-', 'extents'],
      [8, `${'ab'.repeat(32)}:1:1,${'ab'.repeat(32)}:2:2`, 'extent 1'],
      [8, '-:0:1,-:0:2', 'extent 1'],
      [8, Array.from({ length: 1001 }, (_, at) => `${'ab'.repeat(32)}:${2 * at}:1`).join(','), 'extents, too many'],
      [9, 'odd', 'extras'],
      [9, 'x:user.%61=1', 'extras'],
      [9, 'x:a=1,x:a=2', 'extras'],
      [9, 'x:__proto__', 'extras'],
    ];
    for (const [column, value, field] of bad) {
      const line = good.with(column, value).join('\t');
      expect(() => decodeEntry(line), line).toThrow(
        expect.objectContaining({ code: 'entry-damaged', message: expect.stringContaining(`at ${field}`) }),
      );
    }
  });

  test('never crashes or hangs the decoder', () => {
    const [line = ''] = fc.sample(files, { numRuns: 1, seed: 7 }).map(encode);
    const decode = (bytes: Uint8Array) => decodeEntry(Buffer.from(bytes).toString('latin1'));
    expectHardy(decode, Buffer.from(line), ['entry-damaged']);
    expectHardy(readAll, Buffer.from(line + line), ['entry-damaged']);
  });

  test('files/08: attributes that do not fit a line have lines of their own, in order, up to 16 MiB', () => {
    const large = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [`user.s${String(at).padStart(4, '0')}:$DATA`, '\xff'.repeat(64_000)]),
      );
    const entry = { ...plain, sparse: true as const, xattrs: { ...large(200), 'user.a': 'small' } };
    const text = encodeEntry(entry, []);
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(MAX_LINE_SIZE / 2 + 1000);
    expect(decodeEntry(text)).toEqual({ entry, extents: [] });
    expect(readAll(Buffer.from(text + encodeEntry({ ...plain, path: 'z' }, [])))).toHaveLength(2);
    expect(() => encodeEntry({ ...plain, xattrs: large(300) }, [])).toThrow(
      expect.objectContaining({ code: 'entry-invalid' }),
    );
    const [first, ...further] = text.trimEnd().split('\n') as [string, ...string[]];
    for (const odd of [
      [first, further[1]!, further[0]!],
      [first, further[0]!, further[0]!],
      [first, `${further[0]!},user.z=1`],
      [first, 'x\tuser.z'],
      [first, 'xuser.z=1'],
      [first, ...Array.from({ length: 300 }, (_, at) => `x\tuser.t${1000 + at}=${'a'.repeat(64_000)}`)],
    ]) {
      expect(() => decodeEntry(odd.join('\n'))).toThrow(expect.objectContaining({ code: 'entry-damaged' }));
    }
  });

  test('an extended attribute named __proto__ is only a name', () => {
    const { entry } = decodeEntry(encodeEntry({ ...plain, xattrs: Object.fromEntries([['__proto__', 'x']]) }, []));
    expect(Object.entries(entry.xattrs ?? {})).toEqual([['__proto__', 'x']]);
  });
});

describe('the reader of a list of entries', () => {
  test('gives the same entries however the bytes are cut, also one by one', () => {
    fc.assert(
      fc.property(fc.array(located, { maxLength: 5 }), fc.array(fc.nat(500), { maxLength: 8 }), (list, cuts) => {
        const bytes = Buffer.from(list.map(encode).join(''));
        expect(readAll(bytes)).toEqual(list);
        expect(readPieces(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(list);
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        expect(readPieces(at.slice(1).map((end, index) => bytes.subarray(at[index], end)))).toEqual(list);
      }),
      { numRuns: 50 },
    );
  });

  test('holds no more than one line, and refuses a longer one at once', () => {
    const splitter = newLineSplitter(100);
    expect(splitter.push(Buffer.from(`${'a'.repeat(99)}\nb`))).toEqual(['a'.repeat(99)]);
    expect(() => splitter.push(Buffer.from('c'.repeat(99)))).toThrow(
      expect.objectContaining({ code: 'entry-damaged' }),
    );
    expect(() => newLineSplitter(100).push(Buffer.from(`${'a'.repeat(100)}\n`))).toThrow(/longer than 100/);
    const joined = newLineSplitter(100);
    expect(joined.push(Buffer.from('a'.repeat(60)))).toEqual([]);
    expect(() => joined.push(Buffer.from(`${'b'.repeat(40)}\n`))).toThrow(/longer than 100/);
  });

  test('notices a text that ends within a line, and further lines that follow nothing', () => {
    const line = encodeEntry(plain, []);
    expect(() => readAll(Buffer.from(line.slice(0, -1)))).toThrow(/cut off/);
    expect(() => readAll(Buffer.from('+\t-:0:5\n'))).toThrow(/further line/);
    expect(() => readAll(Buffer.from(`${line}+\t-:0:5\n`))).toThrow(/further line/);
    const short = encodeEntry({ ...plain, sizeBytes: 2 }, [
      { pack: 'ab'.repeat(32), offset: 0, length: 1 },
      { pack: null, offset: 0, length: 1 },
    ]);
    expect(() => readAll(Buffer.from(short.replace(',-:0:1', '').replace(/\n/, '\n+\t-:0:1\n')))).toThrow(
      /further line/,
    );
  });
});

function readAll(bytes: Uint8Array): LocatedEntry[] {
  return readPieces([bytes]);
}

function readPieces(pieces: readonly Uint8Array[]): LocatedEntry[] {
  const reader = newEntryReader();
  const read = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
  return read.map(({ at: _, ...located }) => located);
}
