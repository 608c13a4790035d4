import { expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { changedLines } from './line-diff.ts';

test('names the lines that went and came, in order', () => {
  expect(changedLines(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'd', 'e'])).toEqual([
    { sign: '-', line: 'b' },
    { sign: '+', line: 'x' },
    { sign: '+', line: 'e' },
  ]);
  expect(changedLines(['a'], ['a'])).toEqual([]);
});

test('what went and what came, taken out of both texts, leaves the same', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(lines, lines, (from, to) => {
      const changed = changedLines(from, to);
      expect(without(from, changed, '-')).toEqual(without(to, changed, '+'));
    }),
  );
});

test('texts of a hundred thousand lines without a common one are told at once, as changed wholly', () => {
  const many = (of: string) => Array.from({ length: 100_000 }, (_, at) => `${of} ${at}`);
  expect(changedLines(many('a'), many('b'))).toHaveLength(200_000);
});

/** The lines that are not among the changed ones, each of which is met in turn. */
function without(lines: readonly string[], changed: ReturnType<typeof changedLines>, sign: '-' | '+'): string[] {
  const waiting = changed.filter((one) => one.sign === sign).map(({ line }) => line);
  const kept: string[] = [];
  for (const line of [...lines].reverse()) {
    if (waiting.at(-1) === line) waiting.pop();
    else kept.unshift(line);
  }
  return waiting.length === 0 ? kept.sort() : ['not met', ...waiting];
}
