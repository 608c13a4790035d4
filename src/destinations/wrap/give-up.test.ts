import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Destination } from '../destination.ts';
import { destinationUnreachable } from '../errors.ts';
import { openMemory } from '../memory/destination.ts';
import { withDeadline } from './deadline.ts';
import { withFaults } from './fault.ts';
import { withGivingUp } from './give-up.ts';

const soon = { answerMs: 30, bytesPerSecond: 1e12 };
const unreachable = { code: 'destination-unreachable' };

test('M3: a place that hangs is asked no more once it was waited for in vain for so long, however many objects there are', async () => {
  const hangs = withDeadline(withFaults(openMemory({ name: 'ram' }), [{ kind: 'hang' }]), soon);
  let asked = 0;
  const counted = {
    ...hangs,
    get: (...all: Parameters<typeof hangs.get>) => {
      asked++;
      return hangs.get(...all);
    },
  };
  const place = withGivingUp(counted, { mostMs: 100, slowMs: 1000, madeUpMs: 1 });
  for (let n = 0; n < 500; n++) await expect(place.get(`packs/${n}`)).rejects.toMatchObject(unreachable);
  expect(asked).toBeLessThanOrEqual(5);
  await expect(place.get('packs/1')).rejects.toMatchObject({ message: expect.stringContaining('is asked no more') });
  await expect(Array.fromAsync(place.list(''))).rejects.toMatchObject(unreachable);
});

test('a disk that cannot read some files is asked for the next ones all the same', async () => {
  const memory = openMemory({ name: 'ram' });
  await memory.put('sound', Buffer.from('x'));
  const cause = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  const failing = {
    ...memory,
    get: async (...all: Parameters<typeof memory.get>) => {
      if (all[0] === 'sound') return memory.get(...all);
      await sleep(5);
      throw destinationUnreachable({ destination: 'ram', location: 'here', why: 'i/o error' }, { cause });
    },
  };
  const place = withGivingUp(failing, { mostMs: 1, slowMs: 1, madeUpMs: 1 });
  for (let n = 0; n < 5; n++) await expect(place.get(`bad/${n}`)).rejects.toMatchObject({ cause });
  expect(Buffer.from(await place.get('sound')).toString()).toBe('x');
});

test('a listing that fails at the end of many answers does not count as if none had come', async () => {
  const memory = openMemory({ name: 'ram' });
  await memory.put('sound', Buffer.from('x'));
  async function* list() {
    for (let n = 0; n < 20; n++) {
      await sleep(10);
      yield { key: `packs/${n}`, sizeBytes: 1, modifiedMs: 0 };
    }
    throw destinationUnreachable({ destination: 'ram', location: 'here', why: 'it hung up' });
  }
  const place = withGivingUp({ ...memory, list }, { mostMs: 100, slowMs: 50, madeUpMs: 1 });
  await expect(Array.fromAsync(place.list(''))).rejects.toMatchObject(unreachable);
  expect(Buffer.from(await place.get('sound')).toString()).toBe('x');
});

/** Fails with every request for what is bad, after so long. */
async function failingFor(lateMs: number): Promise<Destination> {
  const memory = openMemory({ name: 'ram' });
  await memory.put('sound', Buffer.from('x'));
  const get: Destination['get'] = async (...all) => {
    if (all[0] === 'sound') return memory.get(...all);
    await sleep(lateMs);
    throw destinationUnreachable({ destination: 'ram', location: 'here', why: 'reset' });
  };
  return { ...memory, get };
}

test('a place that fails now and then, and answers well in between, is asked to the end', async () => {
  const place = withGivingUp(await failingFor(5), { mostMs: 40, slowMs: 1000, madeUpMs: 10 });
  for (let round = 0; round < 60; round++) {
    await expect(place.get('bad')).rejects.toMatchObject(unreachable);
    for (let good = 0; good < 20; good++) await place.get('sound');
  }
});

test('M3: a place that answers every other request and hangs with the rest is given up all the same', async () => {
  const place = withGivingUp(await failingFor(30), { mostMs: 100, slowMs: 1000, madeUpMs: 1 });
  const asked = async () => {
    for (let round = 0; round < 500; round++) {
      // What was answered well before is not saved up for later.
      await place.get('sound');
      await place.get('bad').catch((error: Error) => {
        if (error.message.includes('is asked no more')) throw error;
      });
    }
  };
  await expect(asked()).rejects.toMatchObject({ message: expect.stringContaining('is asked no more') });
});

test('M3: what waits side by side is counted once, and what is merely missing is not counted', async () => {
  const memory = openMemory({ name: 'ram' });
  await memory.put('there', Buffer.from('x'));
  const isBad = (key: string) => key.startsWith('bad');
  const slow = {
    ...memory,
    get: async (...all: Parameters<typeof memory.get>) => {
      if (isBad(all[0])) return await hangs.get(...all);
      return memory.get(...all);
    },
  };
  const hangs = withDeadline(withFaults(memory, [{ kind: 'hang' }]), soon);
  const place = withGivingUp(slow, { mostMs: 10_000, slowMs: 5000, madeUpMs: 1 });
  const bad = Array.from({ length: 1000 }, (_, n) => place.get(`bad/${n}`));
  for (const one of await Promise.allSettled(bad)) expect(one.status).toBe('rejected');
  await expect(place.get('absent')).rejects.toMatchObject({ code: 'object-missing' });
  expect(Buffer.from(await place.get('there')).toString()).toBe('x');
});
