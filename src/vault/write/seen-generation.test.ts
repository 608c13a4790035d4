import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { systemClock } from '../../core/clock.ts';
import { startRun } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { generationKey } from '../format/keys.ts';
import { newSigningKey } from '../format/signing.ts';
import { openIndexCache } from '../index/cache.ts';
import { copiesTo } from './copies.ts';
import { generationReader } from './seen-generation.ts';

test('a destination that was away after a prune is looked at when it is back, though the others were before', async () => {
  const vault = newUlid(0, randomBytes);
  const stateDir = await temporaryFolder();
  const index = openIndexCache(join(stateDir, 'index.sqlite'), 'test');
  const [one, two] = [openMemory({ name: 'one' }), openMemory({ name: 'two' })];
  const created = new Date(0).toISOString();
  const generation = { format: 1, vault, generation: 1, created, tombstones: [], sparse: [] } as const;
  await one.put(generationKey(1), generationBytes(signGeneration(generation, newSigningKey().privateKey)));
  const run = startRun({ clock: systemClock });
  const lookedAt = async (active: (typeof one)[]) => {
    const looked: string[] = [];
    const lookAt = async ({ name }: { name: string }) => void looked.push(name);
    await generationReader({
      vault,
      trust: {},
      system: 'harbor',
      stateDir,
      index,
      copies: copiesTo(active, run),
      lookAt,
      run,
    })();
    return looked;
  };
  expect(await lookedAt([one])).toEqual(['one']);
  expect(await lookedAt([one, two])).toEqual(['two']);
  expect(await lookedAt([one, two])).toEqual([]);
  index.close();
});
