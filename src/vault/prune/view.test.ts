import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { knowing } from '../../../test/support/keys.ts';
import { newUlid } from '../../core/ulid.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { generationKey } from '../format/keys.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { newSigningKey } from '../format/signing.ts';
import { type GenerationView, plausible, readView, withdraws } from './view.ts';

const vault = newUlid(0, randomBytes);
const [host, pruner, other, stranger] = [newSigningKey(), newSigningKey(), newSigningKey(), newSigningKey()];
const id = 'a'.repeat(64);
const trust = {
  writers: new Map([...knowing([host.publicKey, pruner.publicKey]), ...knowing([other.publicKey], ['blog'])]),
  pruners: new Map([...knowing([pruner.publicKey]), ...knowing([other.publicKey], ['blog'])]),
};

async function viewOf(generations: ReadonlyArray<readonly [number, string]>): Promise<GenerationView> {
  const one = openMemory({ name: 'one' });
  for (const [number, key] of generations) {
    const unsigned = { format: 1, vault, generation: number, created: '2026-03-01T00:00:00.000Z' } as const;
    await one.put(
      generationKey(number),
      generationBytes(signGeneration({ ...unsigned, tombstones: [id], sparse: [] }, key)),
    );
  }
  const never = () => expect.unreachable();
  return readView([one], { vault, trust, onFailure: never, onSuspect: never });
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
    expect(
      (
        await viewOf([
          [3, pruner.privateKey],
          [4000, pruner.privateKey],
        ])
      ).number,
    ).toBe(3);
    expect((await viewOf([[999_999_999_999_999, pruner.privateKey]])).number).toBe(0);
    expect(
      (
        await viewOf([
          [4999, pruner.privateKey],
          [5000, pruner.privateKey],
        ])
      ).number,
    ).toBe(5000);
    expect([...plausible([5000, 4999, 9000])]).toEqual([4999, 5000]);
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
