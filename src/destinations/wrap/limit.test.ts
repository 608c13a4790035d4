import { expect, test } from 'vitest';
import type { Destination } from '../destination.ts';
import { openMemory } from '../memory/destination.ts';
import { withLimit } from './limit.ts';

const body = Buffer.from('x');

/** A destination whose puts wait until they are let go, and that counts how many run at once. */
function held() {
  const memory = openMemory({ name: 'ram' });
  const gates: (() => void)[] = [];
  const seen = { running: 0, most: 0, started: [] as string[] };
  const destination: Destination = {
    ...memory,
    async put(key, bytes, options) {
      seen.started.push(key);
      seen.most = Math.max(seen.most, ++seen.running);
      await new Promise<void>((resolve) => gates.push(resolve));
      seen.running--;
      if (key === 'bad') throw new Error('bad');
      return memory.put(key, bytes, options);
    },
  };
  return { destination, gates, seen };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('no more than so many run at once, the others come in turn, and a failure gives its place on', async () => {
  const { destination, gates, seen } = held();
  const limited = withLimit(destination, 3);
  const keys = ['0', '1', 'bad', '3', '4', '5', '6', '7', '8', '9'];
  const late = ['late-0', 'late-1', 'late-2'];
  let failed = 0;
  const put = (key: string) =>
    limited.put(key, body).then(
      () => {},
      () => failed++,
    );
  const all = keys.map(put);
  while (gates.length > 0 || seen.started.length < keys.length + 3) {
    await settle();
    gates.shift()?.();
    // Newcomers must not slip in where a place is being handed on.
    const key = late.shift();
    if (key !== undefined) all.push(put(key));
  }
  await Promise.all(all);
  expect(failed).toBe(1);
  expect(seen.most).toBe(3);
  expect(seen.started).toEqual([...keys, 'late-0', 'late-1', 'late-2']);
});

test('who is aborted while waiting leaves the queue and takes no place', async () => {
  const { destination, gates, seen } = held();
  const limited = withLimit(destination, 1);
  const stop = new AbortController();
  const first = limited.put('first', body);
  const second = limited.put('second', body, { signal: stop.signal });
  const third = limited.put('third', body);
  stop.abort(new Error('the user said stop'));
  await expect(second).rejects.toThrow('the user said stop');
  gates.shift()?.();
  await first;
  await settle();
  gates.shift()?.();
  await third;
  expect(seen.started).toEqual(['first', 'third']);
});

test('objects can be read while they are listed, even with a place for one only', async () => {
  const limited = withLimit(openMemory({ name: 'ram' }), 1);
  for (const key of ['a', 'b']) await limited.put(key, body);
  const read: string[] = [];
  for await (const { key } of limited.list('')) read.push(Buffer.from(await limited.get(key)).toString());
  expect(read).toEqual(['x', 'x']);
});
