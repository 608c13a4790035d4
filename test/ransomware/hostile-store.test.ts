import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complaintsOf, mixOf, titleOf } from './hostile-mix.ts';
import { kinds, makeTrueVault, type TrueVault } from './hostile-store.ts';

describe('hostile store: every restore point from before comes back, nothing is silent, every command ends', () => {
  let truth: TrueVault;
  beforeAll(async () => {
    truth = await makeTrueVault();
  });
  afterAll(() => truth[Symbol.asyncDispose]());

  // One for each kind of place; hostile-store.long.test.ts plays a hundred.
  for (const [at, kind] of kinds.entries()) {
    const mix = mixOf(at + kinds.length, kind);
    test(titleOf(mix), async () => {
      expect(await complaintsOf(truth, mix, { all: false })).toEqual([]);
    });
  }
});
