import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyCase, play } from './model/play.ts';

/** Ten thousand and more: `LIFEBOAT_MODEL_RUNS=10000`. */
const runs = Number(process.env.LIFEBOAT_MODEL_RUNS ?? 150);

test(`nothing that retention keeps is lost, in ${runs} random lives of a vault`, async () => {
  let removals = 0;
  await fc.assert(
    fc.asyncProperty(anyCase, async (one) => {
      const truth = await play(one);
      removals += truth.removals;
      expect(truth.broken).toEqual([]);
    }),
    { numRuns: runs, endOnFailure: false },
  );
  // A prune that never removes anything is safe and useless.
  expect(removals).toBeGreaterThan(runs);
});
