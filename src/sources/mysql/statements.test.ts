import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { freeDelimiter, headOf, statementsOf } from './statements.ts';

test('statements come back one by one, wherever their bytes were cut, whatever they hold', async () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('$$lifeboat', '$$lifeboat\n', '$$', '\n', ';', 'DELIMITER x\n', '-- '),
  );
  const statement = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(statement, { maxLength: 6 }), fc.array(fc.nat(400)), async (statements, cuts) => {
      const head = headOf(freeDelimiter(statements));
      const bytes = Buffer.from(head.text + statements.map((one) => `${one}${head.delimiter}\n`).join(''));
      const ends = [...new Set(cuts.map((cut) => cut % bytes.length)), bytes.length].sort((a, b) => a - b);
      const pieces = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
      const found = await Array.fromAsync(statementsOf(iterate(pieces)), String);
      // The first two say how a session has to be.
      expect(found.slice(2)).toEqual(statements);
    }),
  );
});

test('a file that ends within a statement is no file', async () => {
  const { text } = headOf('$$lifeboat');
  const cut = Array.fromAsync(statementsOf(iterate([Buffer.from(`${text}INSERT INTO t VALUES (1)`)])));
  await expect(cut).rejects.toThrow('ends within a statement');
});

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
