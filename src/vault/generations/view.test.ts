import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { knowing } from '../../../test/support/keys.ts';
import { later } from '../../../test/support/later.ts';
import { newUlid } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { generationKey } from '../format/keys.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { type GenerationView, plausible, type ReadViewOptions, readView, withdraws } from './view.ts';

const vault = newUlid(0, randomBytes);
const [host, pruner, other, stranger] = [newSigningKey(), newSigningKey(), newSigningKey(), newSigningKey()];
const id = 'a'.repeat(64);
const trust = {
  writers: new Map([...knowing([host.publicKey, pruner.publicKey]), ...knowing([other.publicKey], ['blog'])]),
  pruners: new Map([...knowing([pruner.publicKey]), ...knowing([other.publicKey], ['blog'])]),
};

type Numbered = ReadonlyArray<readonly [number, string]>;

async function holding(generations: Numbered): Promise<Destination> {
  const one = openMemory({ name: 'one' });
  for (const [number, key] of generations) {
    const unsigned = { format: 1, vault, generation: number, created: '2026-03-01T00:00:00.000Z' } as const;
    await one.put(
      generationKey(number),
      generationBytes(signGeneration({ ...unsigned, tombstones: [id], sparse: [] }, key)),
    );
  }
  return one;
}

function look(
  destinations: readonly Destination[],
  {
    system,
    seen,
    told = [],
  }: { readonly system?: string; readonly seen?: GenerationView; readonly told?: unknown[] } = {},
): Promise<GenerationView> {
  const onFailure = () => expect.unreachable();
  const onSuspect: ReadViewOptions['onSuspect'] = (_, first, more) => void told.push([first, more]);
  const asking = { vault, trust, ...(system !== undefined && { system }), remembered: seen };
  return readView(destinations, { ...asking, onFailure, onSuspect });
}

async function viewOf(generations: Numbered): Promise<GenerationView> {
  const told: unknown[] = [];
  const view = await look([await holding(generations)], { told });
  expect(told).toEqual([]);
  return view;
}

describe('generations count only from those who may prune (H2)', () => {
  test('one by a writer that may not, or by a stranger, says nothing, however high its number', async () => {
    const far = 999_999_999_999_999;
    const view = await viewOf([
      [3, pruner.privateKey],
      [7, host.privateKey],
      [8, stranger.privateKey],
      [far, stranger.privateKey],
    ]);
    expect(view).toMatchObject({ number: 3, writers: [pruner.publicKey] });
  });

  test('a number that leaps leaves the others theirs, also where a pruner signed it', async () => {
    const newestOf = async (...numbers: number[]) =>
      (await viewOf(numbers.map((number) => [number, pruner.privateKey]))).number;
    expect(await newestOf(3, 4_000_000_000)).toBe(3);
    expect(await newestOf(999_999_999_999_999)).toBe(0);
    expect(await newestOf(4999, 5000)).toBe(5000);
    expect([...plausible([5000, 4999, 90_000_000])]).toEqual([4999, 5000]);
  });

  test('junk takes numbers, and those that a prune took beyond them follow', async () => {
    const one = await holding([
      [3, pruner.privateKey],
      [4 + 1500, pruner.privateKey],
    ]);
    for (let number = 4; number < 4 + 1500; number++) await one.put(generationKey(number), Buffer.from('x'));
    // Not only there: what took those numbers may lie elsewhere.
    const two = await holding([
      [3, pruner.privateKey],
      [4 + 1500, pruner.privateKey],
    ]);
    const remembered = await look([two], { seen: await viewOf([[3, pruner.privateKey]]) });
    for (const view of [remembered, await look([one]), await look([two])]) expect(view.number).toBe(4 + 1500);
  });

  test('of what strangers put after the newest only so much is looked at, and the rest is told in a line', async () => {
    const one = await holding([[3, pruner.privateKey]]);
    for (let number = 4; number < 2000; number++) await one.put(generationKey(number), Buffer.from('x'));
    let reads = 0;
    const get: Destination['get'] = (...all) => {
      reads++;
      return one.get(...all);
    };
    const counted = { ...one, get };
    const told: unknown[] = [];
    expect((await look([counted], { told })).number).toBe(3);
    expect(told).toMatchObject([[{ key: 'gc/1999.json' }, 1995]]);
    for (let number = 2000; number < 12_000; number++) await one.put(generationKey(number), Buffer.from('x'));
    reads = 0;
    expect((await look([counted])).number).toBe(0);
    expect(reads).toBeLessThan(10_100);
  });

  test('a later version under its name hides none that a pruner stored for later programs', async () => {
    const bucket = openMemory({ name: 'bucket', versions: { overwrites: true } });
    const unsigned = {
      format: 1,
      vault,
      generation: 1,
      created: '2026-03-01T00:00:00.000Z',
      tombstones: [],
      sparse: [],
    };
    await bucket.put(generationKey(1), later('generation', { ...unsigned, format: 2 }, pruner.privateKey));
    await bucket.put(generationKey(1), later('generation', { ...unsigned, requires: [] }, stranger.privateKey));
    const told: unknown[] = [];
    await look([bucket], { told });
    expect(told).toMatchObject([[{ error: { code: 'format-newer' } }, 0]]);
  });

  test('what a system’s own pruner let go of in its logs is heard also after another’s prune', async () => {
    const bucket = openMemory({ name: 'one' });
    const floor = (system: string, at: string) => [system, 'db', '7', at.repeat(16)] as const;
    const rows = [
      [1, pruner, [floor('harbor', '1')]],
      [2, pruner, [floor('harbor', '3')]],
      // Whatever it says of another system says nothing.
      [3, other, [floor('blog', '5'), floor('harbor', '9')]],
    ] as const;
    for (const [generation, { privateKey }, logs] of rows) {
      const unsigned = { format: 1, vault, generation, created: '2026-03-01T00:00:00.000Z' } as const;
      const signed = signGeneration({ ...unsigned, tombstones: [], sparse: [], logs }, privateKey);
      await bucket.put(generationKey(generation), generationBytes(signed));
    }
    const view = await look([bucket], { system: 'harbor' });
    expect(view.number).toBe(3);
    expect(view.floors.get('harbor db 7')).toBe('3'.repeat(16));
    expect((await look([bucket], { system: 'blog' })).floors.get('blog db 7')).toBe('5'.repeat(16));
    // Who remembers it is not set back where it is gone.
    await bucket.delete(generationKey(1));
    await bucket.delete(generationKey(2));
    expect((await look([bucket], { system: 'harbor', seen: view })).floors.get('harbor db 7')).toBe('3'.repeat(16));
  });

  test('another system’s pruner withdraws nothing of this one, nor does a pruner without its word in the ledger', async () => {
    const record = { system: 'harbor', manifest: [id, 1] } as unknown as SnapshotRecord;
    const own = await viewOf([[1, pruner.privateKey]]);
    expect(withdraws(own, record, trust)).toBe(true);
    expect(withdraws(own, { ...record, system: 'blog' }, trust)).toBe(false);
    expect(withdraws(await viewOf([[1, other.privateKey]]), record, trust)).toBe(false);
    const json = { ...record, format: 1 } as SnapshotRecord;
    expect(withdraws(own, json, trust, new Set())).toBe(false);
  });
});
