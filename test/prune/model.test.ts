import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rounds } from '../support/rounds.ts';
import { anyCase, play } from './model/play.ts';

const runs = rounds({ short: 150, long: 10_000 });

test(`nothing that retention keeps is lost, in ${runs} random lives of a vault`, async () => {
  let [removals, ofLogs] = [0, 0];
  await fc.assert(
    fc.asyncProperty(anyCase, async (one) => {
      const truth = await play(one);
      removals += truth.removals;
      ofLogs += truth.logRemovals;
      expect(truth.broken).toEqual([]);
    }),
    { numRuns: runs, endOnFailure: false },
  );
  // A prune that never removes anything is safe and useless.
  expect(removals).toBeGreaterThan(runs);
  expect(ofLogs).toBeGreaterThan(runs);
});
