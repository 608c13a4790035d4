import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { newUlid } from '../core/ulid.ts';
import type { Destination } from '../destinations/destination.ts';
import { openMemory } from '../destinations/memory/destination.ts';
import { announcedAt } from './announced.ts';
import { newSigningKey, writerId } from './format/signing.ts';

const vault = newUlid(0, randomBytes);
const { publicKey } = newSigningKey();
const trust = { writers: new Map([[publicKey, new Set(['shop'])]]) };
const folder = `format/${writerId(publicKey)}/`;

/** A place where somebody put names that are no announcements, and how many of them were listed. */
async function full(): Promise<{ readonly place: Destination; readonly listed: () => number }> {
  const memory = openMemory({ name: 'disk' });
  for (let at = 0; at < 3000; at++) await memory.put(`${folder}junk-${at}`, Buffer.from('junk'));
  let names = 0;
  const place: Destination = {
    ...memory,
    async *list(prefix) {
      for await (const one of memory.list(prefix)) {
        names++;
        yield one;
      }
    },
  };
  return { place, listed: () => names };
}

test('who only writes looks at a thousand names of a writer, also of those that are none, and says that there are more', async () => {
  const { place, listed } = await full();
  expect(await announcedAt(place, vault, trust, { deletes: false })).toEqual({ found: [], cut: [folder] });
  expect(listed()).toBeLessThan(1100);
});

test('who deletes looks at all of them', async () => {
  const { place, listed } = await full();
  expect(await announcedAt(place, vault, trust, { deletes: true })).toEqual({ found: [], cut: [] });
  expect(listed()).toBe(3000);
});
