import { expect, test } from 'vitest';
import type { Destination } from '../../destinations/destination.ts';
import { openMemory } from '../../destinations/memory/destination.ts';
import { packKey } from '../format/keys.ts';
import { sha256Hex } from '../hash.ts';
import { fetchSound } from './fetch-sound.ts';

test('M3: a place whose object was wrong is asked last from then on, and does not hold up every object', async () => {
  const honest = openMemory({ name: 'honest' });
  const bodies = Array.from({ length: 50 }, (_, n) => Buffer.from(`pack ${n}`));
  for (const body of bodies) await honest.put(packKey(sha256Hex(body)), body);
  let asked = 0;
  const bad: Destination = {
    ...openMemory({ name: 'bad' }),
    async get() {
      asked++;
      return Buffer.from('something else');
    },
  };
  const damaged: string[] = [];
  for (const body of bodies) {
    const id = sha256Hex(body);
    const found = await fetchSound([bad, honest], packKey(id), id, ({ destination }) => damaged.push(destination));
    expect(Buffer.from(found).toString()).toBe(body.toString());
  }
  expect(asked).toBe(1);
  expect(damaged).toEqual(['bad']);
});
