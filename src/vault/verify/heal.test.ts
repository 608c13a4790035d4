import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { startRun } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { createIds } from '../format/ids.ts';
import { listKey } from '../format/keys.ts';
import { encodePackList } from '../format/pack-list.ts';
import { sha256Hex } from '../hash.ts';
import type { VaultReader } from '../vault.ts';
import { heal } from './heal.ts';
import { neededObjects } from './needed.ts';

test('what a place took and does not hold as it was sent is not healed, and is not left there', async () => {
  const [disk, nas] = [openMemory({ name: 'disk' }), openMemory({ name: 'nas' })];
  const bytes = encodePackList([[sha256Hex(Buffer.from('a pack')), 1]], Buffer.alloc(8));
  const key = listKey(sha256Hex(bytes));
  await disk.put(key, bytes);
  let cuts = true;
  const cutting: Destination = { ...nas, put: (name, body) => nas.put(name, cuts ? body.subarray(1) : body) };
  const vault = { id: 'a vault', destinations: [disk, cutting], trust: {} } as unknown as VaultReader;
  const options = { needed: neededObjects([], createIds()), grants: new Set<string>(), rescue: Buffer.alloc(0) };
  const finding = { destination: 'nas', key, kind: 'missing', why: 'it is not there' } as const;
  const healed = async () => {
    const run = startRun({ clock: systemClock });
    return (await heal(vault, new Map(), [finding], [], { ...options, run })).map((one) => one.healed);
  };
  expect(await healed()).toEqual([false]);
  await expect(nas.stat(key)).rejects.toMatchObject({ code: 'object-missing' });
  cuts = false;
  expect(await healed()).toEqual([true]);
  expect(Buffer.from(await nas.get(key))).toEqual(Buffer.from(bytes));
});
