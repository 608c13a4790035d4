import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { piecesOf } from './pieces.ts';
import { PIECE_BYTES } from './pool.ts';

test('a stream comes in whole pieces and a last one, whatever it was cut into, and used memory shows nothing of before', async () => {
  const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(3 * PIECE_BYTES), fc.constant(PIECE_BYTES)), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lengths, async (sizes) => {
      const parts = sizes.map((size, at) => Buffer.alloc(size, at + 1));
      // Of a stream before: all of it is written over, or left out.
      const used = () => new Uint8Array(PIECE_BYTES).fill(0xff).buffer;
      const pieces: { bytes: ArrayBuffer; last: boolean }[] = [];
      for await (const piece of piecesOf(parts, used)) pieces.push(piece);
      expect(Buffer.compare(Buffer.concat(pieces.map(({ bytes }) => Buffer.from(bytes))), Buffer.concat(parts))).toBe(
        0,
      );
      expect(pieces.map(({ last }) => last).indexOf(true)).toBe(pieces.length - 1);
      const total = parts.reduce((sum, part) => sum + part.length, 0);
      expect(pieces.map(({ bytes }) => bytes.byteLength)).toEqual([
        ...Array.from({ length: Math.floor(total / PIECE_BYTES) }, () => PIECE_BYTES),
        total % PIECE_BYTES,
      ]);
    }),
    { numRuns: 30 },
  );
});
