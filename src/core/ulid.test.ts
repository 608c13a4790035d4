import { expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { isUlid, newUlid, ulidTime } from './ulid.ts';

const MAX_TIME = 2 ** 48 - 1;

test('holds its time, and sorts by it', () => {
  const times = fc.integer({ min: 0, max: MAX_TIME });
  const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(times, times, random, random, (a, b, x, y) => {
      const first = newUlid(a, () => x);
      const second = newUlid(b, () => y);
      expect(ulidTime(first)).toBe(a);
      if (a < b) expect(first < second).toBe(true);
    }),
  );
});

test('is what other programs make of the same time and randomness', () => {
  expect(newUlid(0, () => new Uint8Array(10))).toBe('00000000000000000000000000');
  expect(newUlid(MAX_TIME, () => new Uint8Array(10).fill(255))).toBe('7ZZZZZZZZZZZZZZZZZZZZZZZZZ');
  expect(newUlid(1469918176385, () => Buffer.from('d7673669ed94e0d1fcd9', 'hex')).slice(0, 10)).toBe('01ARYZ6S41');
  const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 33]);
  expect(newUlid(1, () => bytes)).toBe('00000000010000000000000091');
});

test('all its random bits are there', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.integer({ min: 1, max: 255 }), (at, byte) => {
      const random = new Uint8Array(10);
      random[at] = byte;
      expect(newUlid(0, () => random)).not.toBe(newUlid(0, () => new Uint8Array(10)));
    }),
  );
});

test('takes no time that it cannot hold, and reads no text that is none', () => {
  for (const time of [-1, 0.5, MAX_TIME + 1, Number.NaN]) {
    expect(() => newUlid(time, (size) => new Uint8Array(size))).toThrow(RangeError);
  }
  for (const text of [
    '',
    '8ZZZZZZZZZZZZZZZZZZZZZZZZZ',
    '0000000000000000000000000',
    '0000000000000000000000000I',
    '0000000000000000000000000a',
  ]) {
    expect(isUlid(text)).toBe(false);
    expect(() => ulidTime(text)).toThrow(RangeError);
  }
});
