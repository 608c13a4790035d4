import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { systemClock } from '../../core/clock.ts';
import { startRun } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { destinationDenied } from '../../destinations/errors.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { withFaults } from '../../destinations/wrap/fault.ts';
import { packKey } from '../format/keys.ts';
import { type IndexCache, openIndexCache } from '../index/cache.ts';
import { catchUp } from './catch-up.ts';
import { copiesTo } from './copies.ts';

const vault = newUlid(0, randomBytes);
const bodies = Array.from({ length: 5 }, (_, n) => Buffer.from(`pack ${n}`));
const idOf = (body: Uint8Array) => createHash('sha256').update(body).digest('hex');

/** Five packs that `one` holds, and the writer's index knows; `two` lacks them. */
async function lagging() {
  const [one, two] = [openMemory({ name: 'one' }), openMemory({ name: 'two' })];
  const index: IndexCache = openIndexCache(join(await temporaryFolder(), 'index.sqlite'), 'test');
  const chunks = { ids: new Uint8Array(), lengths: new Uint32Array() };
  for (const body of bodies) {
    await one.put(packKey(idOf(body)), body);
    const toc = { chunks, frames: { rawLengths: new Uint32Array(), storedLengths: new Uint32Array() } };
    index.addPack({ id: idOf(body), sizeBytes: body.length, kind: 'data', toc } as never, ['one'], 'e'.repeat(64));
  }
  return { one, two, index };
}

test('a little is copied before the backup, and the index knows that it is there', async () => {
  const { one, two, index } = await lagging();
  const run = startRun({ clock: systemClock });
  const copies = copiesTo([one, two], run);
  await catchUp({ vault, index, copies }, run);
  expect(copies.active.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(index.missingAt('two')).toEqual([]);
  expect(index.get('lagging two')).toBe('no');
});

test('one that lacks much is set aside instead of holding up the restore point, and nothing is sent to it', async () => {
  const { one, two, index } = await lagging();
  const run = startRun({ clock: systemClock });
  const copies = copiesTo([one, two], run);
  await catchUp({ vault, index, copies }, run, 20);
  expect(copies.active.map(({ name }) => name)).toEqual(['one']);
  expect([...copies.aside]).toEqual([['two', 'it lacks 5 objects (30 B) that others hold']]);
  expect(copies.dropped.size).toBe(0);
  await expect(two.stat(packKey(idOf(bodies[0]!)))).rejects.toMatchObject({ code: 'object-missing' });
});

test('one that cannot be filled because the writer may not read the other is set aside, not sent everything again', async () => {
  const { one, two, index } = await lagging();
  const error = destinationDenied({ destination: 'one', location: 'memory:one', why: 'the writer may not read' });
  const run = startRun({ clock: systemClock });
  const copies = copiesTo([withFaults(one, [{ verb: 'get', kind: 'error-before', error }]), two], run);
  await catchUp({ vault, index, copies }, run);
  expect([...copies.aside.keys()]).toEqual(['two']);
  expect(copies.active.map(({ name }) => name)).toEqual(['one']);
});
