import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { type Asking, complaintsOf, type Mix, mixOf, titleOf } from './hostile-mix.ts';
import { kinds, makeTrueVault, type TrueVault } from './hostile-store.ts';
import { mends, without } from './mends.ts';

/** Other seeds are tried with HOSTILE_SEED=n: the hundred from there on. */
const firstSeed = Number(process.env.HOSTILE_SEED ?? 1);
const hundred: readonly Mix[] = Array.from({ length: 100 }, (_, at) => {
  const seed = firstSeed + at;
  return mixOf(seed, kinds[seed % kinds.length]!);
});
/** A listing is heard out up to its bound: minutes each, so these are few. */
const patient: readonly Mix[] = (['s3', 'versioned s3'] as const).map((kind, at) => {
  const names = ['a stranger’s record', 'M3: a listing without end'] as const;
  return { seed: firstSeed + 100 + at, kind, names };
});
/** Mixes that are tried until one shows that a mend is gone. */
const mostTried = 6;

let truth: TrueVault;
const ran: { readonly in: string; readonly what: string; readonly tookMs: number; readonly peakMb: number }[] = [];
beforeAll(async () => {
  truth = await makeTrueVault();
});
afterAll(async () => {
  await truth[Symbol.asyncDispose]();
  // What docs/destinations.md and docs/threats.md say of time and memory is measured here.
  for (const by of ['tookMs', 'peakMb'] as const) {
    const most = ran.toSorted((a, b) => b[by] - a[by]).slice(0, 5);
    for (const one of most)
      console.log(`${Math.round(one.tookMs)} ms, ${Math.round(one.peakMb)} MB: ${one.what} (${one.in})`);
  }
});

describe('hostile store: every restore point from before comes back, nothing is silent, every command ends', () => {
  for (const mix of [...hundred, ...patient]) {
    test(titleOf(mix), { timeout: 1_800_000 }, async () => {
      const onRan: Asking['onRan'] = (what, { tookMs, peakMb }) =>
        void ran.push({ in: titleOf(mix), what, tookMs, peakMb });
      expect(await complaintsOf(truth, mix, { all: true, onRan })).toEqual([]);
    });
  }
});

describe('hostile store: with a mend taken away, one of these mixes fails', () => {
  for (const mend of mends) {
    test(mend.name, { timeout: 1_800_000 }, async () => {
      const command = without(mend, await temporaryFolder());
      const mixes = hundred.filter(({ kind, names }) => mend.over.includes(kind) && names.includes(mend.by));
      const complaints: string[] = [];
      for (const mix of mixes.slice(0, mostTried)) {
        complaints.push(...(await complaintsOf(truth, mix, { all: true, command, until: mend.shows })));
        if (complaints.some((complaint) => mend.shows.test(complaint))) return;
      }
      expect.fail(`${mixes.length} mixes have it, and none shows it; they said: ${complaints.join('\n')}`);
    });
  }
});
