import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { startRun } from '../core/run.ts';
import { copyMissing } from './copy.ts';
import { openMemory } from './memory/destination.ts';
import { withFaults } from './wrap/fault.ts';

const run = () => startRun({ clock: systemClock });
const bodies = Array.from({ length: 20 }, (_, n) => Buffer.from(`object ${n}`));
const keyOf = (body: Uint8Array) => `packs/${createHash('sha256').update(body).digest('hex')}.age`;
const keys = bodies.map(keyOf);

async function filled() {
  const from = openMemory({ name: 'from' });
  for (const body of bodies) await from.put(keyOf(body), body);
  await from.put('vault.json', Buffer.from('{}'));
  return from;
}

test('copies what is missing and nothing else', async () => {
  const from = await filled();
  const memory = openMemory({ name: 'to' });
  await memory.put(keys[3] as string, bodies[3] as Buffer);
  const to = withFaults(memory, []);
  expect(await copyMissing(from, to, [...keys, 'vault.json'], run())).toEqual({
    copied: 20,
    copiedBytes: 9 * 8 + 10 * 9 + 2,
    existed: 1,
    refused: [],
  });
  expect(to.calls('put')).toBe(20);
  for (const body of bodies) expect(Buffer.compare(await to.get(keyOf(body)), body)).toBe(0);
});

test('an object that is damaged, missing or different there is named, and the others are copied', async () => {
  const from = withFaults(await filled(), [
    { verb: 'get', key: new RegExp(keys[5] as string), kind: 'flip-bit' },
    { verb: 'get', key: new RegExp(keys[6] as string), kind: 'truncate' },
  ]);
  const to = openMemory({ name: 'to' });
  await to.put(keys[7] as string, Buffer.from('garbled and of another size'));
  const absent = `packs/${'0'.repeat(64)}.age`;
  const result = await copyMissing(from, to, [...keys, absent], run());
  expect(result.copied).toBe(17);
  expect(Object.fromEntries(result.refused.map(({ key, code }) => [key, code]))).toEqual({
    [keys[5] as string]: 'object-damaged',
    [keys[6] as string]: 'object-damaged',
    [keys[7] as string]: 'object-exists',
    [absent]: 'object-missing',
  });
  await expect(to.stat(keys[5] as string)).rejects.toMatchObject({ code: 'object-missing' });
});

test('stops when a destination as a whole fails, or at an abort', async () => {
  const from = await filled();
  const full = openMemory({ name: 'to', capacityBytes: 50 });
  await expect(copyMissing(from, full, keys, run())).rejects.toMatchObject({ code: 'destination-full' });
  const stop = AbortSignal.abort(new Error('the user said stop'));
  const stopped = copyMissing(from, openMemory({ name: 'to' }), keys, startRun({ clock: systemClock, signal: stop }));
  await expect(stopped).rejects.toThrow('the user said stop');
});

test('holds only a few objects at once', async () => {
  const from = await filled();
  let [running, most] = [0, 0];
  const counted: typeof from = {
    ...from,
    async get(...all) {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return from.get(...all);
    },
  };
  await copyMissing(counted, openMemory({ name: 'to' }), keys, run());
  expect(most).toBe(4);
});
