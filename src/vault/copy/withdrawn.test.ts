import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knowing } from '../../../test/support/keys.ts';
import { newUlid } from '../../core/ulid.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { generationKey } from '../format/keys.ts';
import { newSigningKey } from '../format/signing.ts';
import { sizesAt } from '../hold/sizes.ts';
import { withdrawnAt } from './withdrawn.ts';

const vault = newUlid(0, randomBytes);
const [ours, theirs] = [newSigningKey(), newSigningKey()];
const [dead, living] = ['a'.repeat(64), 'b'.repeat(64)];

function generation(number: number, tombstones: readonly string[], key: string): Uint8Array {
  const created = '2026-03-01T00:00:00.000Z';
  return generationBytes(
    signGeneration({ format: 1, vault, generation: number, created, tombstones, sparse: [] }, key),
  );
}

test("a stranger's prune withdraws nothing: what it names is copied all the same", async () => {
  const one = openMemory({ name: 'one' });
  await one.put(generationKey(1), generation(1, [dead], ours.privateKey));
  await one.put(generationKey(2), generation(2, [dead, living], theirs.privateKey));
  const held = await sizesAt(one, new AbortController().signal);
  const trust = { writers: knowing([ours.publicKey]) };
  const { number, ids } = await withdrawnAt(vault, [held], { trust });
  expect({ number, ids: [...ids] }).toEqual({ number: 1, ids: [dead] });
});
