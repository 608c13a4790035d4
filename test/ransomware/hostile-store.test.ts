import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rounds } from '../support/rounds.ts';
import { complaintsOf, mixOf, titleOf } from './hostile-mix.ts';
import { kinds, makeTrueVault, type TrueVault } from './hostile-store.ts';

/** One mix for each kind of place; `npm run test:long` plays a hundred. One of them: `-t 'mix 7 '`. */
const count = rounds({ short: kinds.length, long: 100 });

describe('hostile store: every restore point from before comes back, nothing is silent, every command ends', () => {
  let truth: TrueVault;
  beforeAll(async () => {
    truth = await makeTrueVault();
  });
  afterAll(() => truth[Symbol.asyncDispose]());

  for (let seed = 1; seed <= count; seed++) {
    const mix = mixOf(seed, kinds[seed % kinds.length]!);
    test(titleOf(mix), async () => {
      expect(await complaintsOf(truth, mix, { all: false })).toEqual([]);
    });
  }
});
