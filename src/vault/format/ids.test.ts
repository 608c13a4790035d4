import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { createIdSet } from '../hold/id-set.ts';
import { createIds } from './ids.ts';
import { packList } from './pack-list.ts';

const sha = (number: number) => createHash('sha256').update(`${number}`).digest('hex');

test('each id has one number, however many there are, and comes back as it was', () => {
  const ids = createIds();
  const all = Array.from({ length: 5000 }, (_, number) => sha(number));
  expect(all.map(ids.add)).toEqual([...all.keys()]);
  expect(all.map(ids.add)).toEqual([...all.keys()]);
  expect(ids.size).toBe(5000);
  expect(all.map((id) => ids.find(id))).toEqual([...all.keys()]);
  expect(all.map((_, number) => ids.idOf(number))).toEqual(all);
  expect(ids.find(sha(5000))).toBeUndefined();
});

test('ids that differ in one digit are two, and what is no id has no number', () => {
  const ids = createIds();
  const one = 'a'.repeat(64);
  const others = Array.from({ length: 64 }, (_, at) => `${one.slice(0, at)}b${one.slice(at + 1)}`);
  for (const id of [one, ...others]) ids.add(id);
  expect(ids.size).toBe(65);
  for (const text of ['', one.slice(1), `${one}a`, 'A'.repeat(64), `${one.slice(1)}\u0161`, `${one.slice(1)}g`]) {
    expect(ids.find(text)).toBeUndefined();
    expect(() => ids.add(text)).toThrow(TypeError);
  }
});

test('a set holds what was added, also of ids that were numbered later', () => {
  const ids = createIds();
  const set = createIdSet(ids, [sha(1), sha(2), sha(1)]);
  for (let number = 0; number < 200; number++) ids.add(sha(number));
  set.add(sha(150));
  expect(set.size).toBe(3);
  expect([...set]).toEqual([sha(1), sha(2), sha(150)]);
  expect([sha(0), sha(1), sha(150), sha(151), sha(999), 'no id'].map((id) => set.has(id))).toEqual([
    false,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('a set takes a list whole as it takes each pack of it, whichever of them it has', () => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.nat(200), { minLength: 1 }), { minLength: 1 }), fc.nat(40), (lists, few) => {
      const ids = createIds();
      for (let number = 0; number < few; number++) ids.add(sha(number));
      const [whole, one] = [createIdSet(ids), createIdSet(ids)];
      for (const named of lists) {
        const numbers = Uint32Array.from(named, (number) => ids.add(sha(number)));
        whole.addList(
          packList(
            ids,
            numbers,
            numbers.map(() => 1),
          ),
        );
        for (const number of numbers) one.addNumber(number);
        expect([...whole]).toEqual([...one]);
        expect(whole.size).toBe(one.size);
      }
    }),
  );
});

test('ids that somebody chose do not all fall into a few places', () => {
  // Multiples of 2^28: a sum of products keeps their low bits at zero. Where they fall into one place, this takes minutes.
  const words = new Uint32Array(8);
  const ids = createIds();
  for (let number = 0; number < 160_000; number++) {
    for (let word = 0; word < 8; word++) words[word] = (number >>> (4 * word)) << 28;
    ids.addWords(words);
  }
  expect(ids.size).toBe(160_000);
});
