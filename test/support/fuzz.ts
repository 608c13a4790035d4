import { expect } from 'vitest';
import { LifeboatError } from '../../src/core/errors.ts';
import fc from './fast-check.ts';

/**
 * Whatever the bytes, `decode` gives a value or one of the errors `codes`. Tried with noise, and with `valid` changed: bits
 * flipped, cut short, pieces doubled, bytes put in.
 */
export function expectHardy(decode: (bytes: Uint8Array) => unknown, valid: Uint8Array, codes: readonly string[]): void {
  const attempt = (bytes: Uint8Array) => {
    try {
      decode(bytes);
    } catch (error) {
      if (!(error instanceof LifeboatError)) throw error;
      expect(codes).toContain(error.code);
      // Sentences quote no more of hostile input than a line.
      expect(error.message.length).toBeLessThan(300);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), attempt), { numRuns: 300 });
  fc.assert(fc.property(changed(valid), attempt), { numRuns: 1500 });
}

/** `valid`, changed in one to three places. */
export function changed(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat(Math.max(0, valid.length - 1));
  const change = fc.oneof(
    fc.tuple(fc.constant('flip' as const), place, fc.nat(7)),
    fc.tuple(fc.constant('cut' as const), place, fc.nat(20)),
    fc.tuple(fc.constant('insert' as const), place, fc.nat(255)),
    fc.tuple(fc.constant('double' as const), place, fc.nat(40)),
    fc.tuple(fc.constant('fill' as const), place, fc.nat(8)),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let bytes = Buffer.from(valid);
    for (const [kind, at, by] of changes) {
      const before = bytes.subarray(0, at);
      const after = bytes.subarray(at);
      if (kind === 'flip' && after.length > 0) after[0]! ^= 1 << by;
      if (kind === 'fill') after.subarray(0, by).fill(0xff);
      if (kind === 'cut') bytes = Buffer.concat([before, after.subarray(by)]);
      if (kind === 'insert') bytes = Buffer.concat([before, Buffer.from([by]), after]);
      if (kind === 'double') bytes = Buffer.concat([before, after.subarray(0, by), after]);
    }
    return bytes;
  });
}
