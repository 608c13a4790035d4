import { expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { type LogPiece, uselessPieces } from './log-cut.ts';

const piece = (stream: string, from: number, to: number): LogPiece => ({
  key: `${stream} ${from}`,
  stream,
  from: BigInt(from),
  to: BigInt(to),
});

test('a log goes only up to where the oldest kept base begins', () => {
  const pieces = [piece('a', 0, 10), piece('a', 10, 20), piece('a', 20, 30), piece('b', 0, 10)];
  const bases = [
    { stream: 'a', from: 25n },
    { stream: 'a', from: 15n },
  ];
  expect(uselessPieces(pieces, bases).map(({ key }) => key)).toEqual(['a 0']);
});

test('without a known base, or with one whose beginning is not known, a stream is kept whole', () => {
  const pieces = [piece('a', 0, 10), piece('b', 0, 10)];
  expect(uselessPieces(pieces, [])).toEqual([]);
  expect(
    uselessPieces(pieces, [
      { stream: 'a', from: 50n },
      { stream: 'a', from: undefined },
    ]),
  ).toEqual([]);
});

test('no kept base is ever orphaned: from its beginning on every piece stays', () => {
  const numbers = fc.array(fc.nat(100), { maxLength: 8 });
  fc.assert(
    fc.property(numbers, numbers, (begins, bases) => {
      const pieces = begins.map((from) => piece('a', from, from + 10));
      const gone = new Set(
        uselessPieces(
          pieces,
          bases.map((from) => ({ stream: 'a', from: BigInt(from) })),
        ),
      );
      for (const base of bases) {
        for (const one of pieces) if (one.to > BigInt(base)) expect(gone.has(one)).toBe(false);
      }
    }),
  );
});
