import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { packPlain } from '../../../test/support/build-vault.ts';
import fc from '../../../test/support/fast-check.ts';
import { expectHardy } from '../../../test/support/fuzz.ts';
import { newUlid } from '../../core/ulid.ts';
import { decodeIndexDelta, encodeIndexDelta } from './index-delta.ts';
import { newSigningKey } from './signing.ts';
import {
  CHUNK_ID_SIZE,
  decodeToc,
  encodeToc,
  FOOTER_SIZE,
  findToc,
  MAX_CHUNKS,
  paddingFrame,
  paddingSize,
  padme,
  type Toc,
} from './toc.ts';

const frames = fc.array(
  fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 8 }),
    compressedLength: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  }),
  { maxLength: 6 },
);

const tocs: fc.Arbitrary<Toc> = frames.map((list) => {
  const lengths = list.flatMap((frame) => frame.lengths);
  return {
    frames: list.map((frame) => ({
      compressedLength: frame.compressedLength,
      rawLength: frame.lengths.reduce((sum, length) => sum + length, 0),
      chunkCount: frame.lengths.length,
    })),
    chunks: { ids: new Uint8Array(randomBytes(lengths.length * CHUNK_ID_SIZE)), lengths: Uint32Array.from(lengths) },
  };
});

const example: Toc = {
  frames: [
    { compressedLength: 700, rawLength: 1_000, chunkCount: 2 },
    { compressedLength: 5, rawLength: 7, chunkCount: 1 },
  ],
  chunks: { ids: new Uint8Array(60).fill(7), lengths: Uint32Array.from([999, 1, 7]) },
};

describe('the table of contents of a pack', () => {
  test('reads back, found from the tail of any plaintext', () => {
    fc.assert(
      fc.property(tocs, fc.uint8Array({ maxLength: 100 }), (toc, before) => {
        const bytes = encodeToc(toc);
        const plain = Buffer.concat([before, bytes]);
        expect(decodeToc(bytes)).toEqual(toc);
        expect(decodeToc(findToc(plain).toc!)).toEqual(toc);
        expect(findToc(plain.subarray(-FOOTER_SIZE))).toEqual({ tocLength: bytes.length });
      }),
    );
  });

  test('is typed damage for any other bytes, whatever lengths they declare', () => {
    expectHardy(decodeToc, encodeToc(example), ['toc-damaged']);
    const huge = Buffer.from(encodeToc(example));
    huge.writeUInt32LE(0xffff_ffff, 8);
    expect(() => decodeToc(huge)).toThrow(expect.objectContaining({ code: 'toc-damaged' }));
    huge.writeUInt32LE(0xffff_ffff, 12);
    expect(() => decodeToc(huge)).toThrow(expect.objectContaining({ code: 'toc-damaged' }));
  });

  test('is refused when it is not one: frames and chunks that do not add up', () => {
    const { frames, chunks } = example;
    const wrong: Toc[] = [
      { frames: frames.slice(0, 1), chunks },
      { frames: [{ ...frames[0]!, rawLength: 999 }, frames[1]!], chunks },
      { frames: [{ ...frames[0]!, chunkCount: 3 }], chunks },
      { frames, chunks: { ...chunks, ids: chunks.ids.subarray(1) } },
      { frames, chunks: { ...chunks, lengths: Uint32Array.from([1_000, 0, 7]) } },
      {
        frames: [{ compressedLength: 1, rawLength: 4_194_305, chunkCount: 1 }],
        chunks: { ids: new Uint8Array(20), lengths: Uint32Array.of(4_194_305) },
      },
    ];
    for (const toc of wrong) expect(() => encodeToc(toc)).toThrow(RangeError);
    const many = MAX_CHUNKS + 1;
    const lengths = new Uint32Array(many).fill(1);
    const ids = new Uint8Array(many * CHUNK_ID_SIZE);
    const one = [{ compressedLength: 1, rawLength: many, chunkCount: many }];
    expect(() => encodeToc({ frames: one, chunks: { ids, lengths } })).toThrow(RangeError);
  });

  test("is passed over by Debian's zstd, as is the padding: it prints the raw chunks and nothing else", () => {
    for (const sizes of [[1], [300_000], [65_536, 1, 20_000, 20_000], []]) {
      const chunks = sizes.map((size) => ({ id: randomBytes(20).toString('hex'), bytes: randomBytes(size) }));
      const { plain } = packPlain(chunks, 60_000);
      const run = spawnSync('zstd', ['-d', '-c', '-q'], { input: plain, maxBuffer: 1 << 24 });
      expect(run.stderr.toString()).toBe('');
      expect(run.stdout.equals(Buffer.concat(chunks.map((chunk) => chunk.bytes)))).toBe(true);
    }
    const padded = Buffer.concat([paddingFrame(8), paddingFrame(100_000), encodeToc(example)]);
    const run = spawnSync('zstd', ['-d', '-c', '-q'], { input: padded });
    expect([run.status, run.stdout.length]).toEqual([0, 0]);
  });
});

describe('padding', () => {
  test('brings every size to a Padmé size, in a frame that can exist', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), (size) => {
        const padding = paddingSize(size);
        expect(padding === 0 || padding >= 8).toBe(true);
        expect(padme(size + padding)).toBe(size + padding);
        expect(padme(size)).toBeGreaterThanOrEqual(size);
        expect(padme(size)).toBeLessThanOrEqual(Math.max(size * 1.12, size + 1));
      }),
    );
  });

  test('leaves few sizes: 33 of the millions between 16 and 32 MiB', () => {
    const sizes = new Set<number>();
    for (let size = 2 ** 24; size < 2 ** 25; size += 997) sizes.add(padme(size));
    expect(sizes.size).toBeLessThanOrEqual(33);
    // The examples of the paper's definition: the low E-S bits are zero.
    expect([0, 1, 2, 3, 7, 8, 9, 10, 11, 17, 1025].map(padme)).toEqual([0, 1, 2, 3, 7, 8, 10, 10, 12, 18, 1088]);
  });
});

describe('an index delta', () => {
  const vault = newUlid(1, randomBytes);
  const { privateKey, publicKey } = newSigningKey();
  const id = (byte: string) => byte.repeat(32);

  test('reads back', () => {
    const packs = fc.array(
      fc.record({
        id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
        sizeBytes: fc.maxSafeNat(),
        kind: fc.constantFrom('data' as const, 'meta' as const),
        toc: tocs,
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(packs, (list) => {
        const delta = { vault, packs: list, epoch: id('ef') };
        const read = decodeIndexDelta(encodeIndexDelta(delta, privateKey));
        expect(read).toEqual({ ...delta, writer: publicKey });
      }),
    );
  });

  test('is typed damage for any other bytes', () => {
    const delta = {
      vault,
      packs: [
        { id: id('ab'), sizeBytes: 1234, kind: 'data', toc: example },
        { id: id('cd'), sizeBytes: 5, kind: 'meta', toc: example },
      ],
      epoch: id('ef'),
    } as const;
    const bytes = encodeIndexDelta(delta, privateKey);
    expectHardy(decodeIndexDelta, bytes, ['index-damaged']);
    for (const other of [Buffer.concat([bytes, Buffer.alloc(1)]), bytes.subarray(0, -1)]) {
      expect(() => decodeIndexDelta(other)).toThrow(expect.objectContaining({ code: 'index-damaged' }));
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const other = Buffer.from(bytes);
        other[at]! ^= 1 << bit;
        expect(() => decodeIndexDelta(other)).toThrow(expect.objectContaining({ code: 'index-damaged' }));
      }),
    );
  });
});
