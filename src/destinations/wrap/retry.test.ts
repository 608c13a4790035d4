import { expect, test } from 'vitest';
import { destinationFull, destinationUnreachable } from '../errors.ts';
import { openMemory } from '../memory/destination.ts';
import { type Fault, withFaults } from './fault.ts';
import { withRetry } from './retry.ts';

const body = Buffer.from('x');

function failing(script: readonly Fault[], policy: Parameters<typeof withRetry>[1] = {}) {
  const pauses: number[] = [];
  const faulty = withFaults(openMemory({ name: 'ram' }), script);
  const sleep = async (timeMs: number) => {
    pauses.push(timeMs);
  };
  return { faulty, pauses, destination: withRetry(faulty, { sleep, random: () => 0, ...policy }) };
}

test('what passes is tried again, with pauses that double up to the longest', async () => {
  const script = [1, 2, 3, 4, 5].map((nth) => ({ verb: 'put', nth, kind: 'error-before' }) as const);
  const { destination, faulty, pauses } = failing(script, { attempts: 6, firstPauseMs: 100, longestPauseMs: 500 });
  expect(await destination.put('a', body)).toMatchObject({ existed: false });
  expect(pauses).toEqual([100, 200, 400, 500, 500]);
  expect(faulty.unreached()).toEqual([]);
});

test('jitter shortens a pause by up to half', async () => {
  const { destination, pauses } = failing([{ nth: 1, kind: 'error-before' }], {
    random: () => 0.999,
    firstPauseMs: 100,
  });
  await destination.freeBytes();
  expect(pauses[0]).toBeCloseTo(50, 0);
});

test('attempts are bounded, and the last error is what is thrown', async () => {
  const { destination, faulty } = failing([{ kind: 'error-before' }], { attempts: 3 });
  await expect(destination.get('a')).rejects.toSatisfy(destinationUnreachable.is);
  expect(faulty.calls('get')).toBe(3);
});

test('a put that was done although it failed is found to be done', async () => {
  const { destination } = failing([{ verb: 'put', nth: 1, kind: 'error-after' }]);
  expect(await destination.put('a', body)).toMatchObject({ existed: true });
});

test('what is final is not tried again', async () => {
  const error = destinationFull({ destination: 'ram', location: 'memory' });
  const { destination, faulty } = failing([{ verb: 'put', kind: 'error-before', error }]);
  await expect(destination.put('a', body)).rejects.toBe(error);
  await expect(destination.get('absent')).rejects.toMatchObject({ code: 'object-missing' });
  expect([faulty.calls('put'), faulty.calls('get')]).toEqual([1, 1]);
});

test('a listing is begun again, but never in the middle', async () => {
  const { destination } = failing([{ verb: 'list', nth: 1, kind: 'error-before' }]);
  for (const key of ['a', 'b', 'c']) await destination.put(key, body);
  const keys: string[] = [];
  for await (const { key } of destination.list('')) keys.push(key);
  expect(keys).toEqual(['a', 'b', 'c']);

  const broken = failing([{ verb: 'list', kind: 'error-after' }]);
  await broken.destination.put('a', body);
  const reading = (async () => {
    for await (const _ of broken.destination.list(''));
  })();
  await expect(reading).rejects.toSatisfy(destinationUnreachable.is);
  expect(broken.faulty.calls('list')).toBe(1);
});

test('an abort ends the waiting at once, with its reason', async () => {
  const stop = new AbortController();
  const faulty = withFaults(openMemory({ name: 'ram' }), [{ kind: 'error-before' }]);
  const destination = withRetry(faulty, { firstPauseMs: 3_600_000, longestPauseMs: 3_600_000 });
  const putting = destination.put('a', body, { signal: stop.signal });
  // By then the first attempt has failed, and the pause has begun.
  setImmediate(() => stop.abort(new Error('the user said stop')));
  await expect(putting).rejects.toThrow('the user said stop');
  expect(faulty.calls('put')).toBe(1);
  const again = destination.put('a', body, { signal: stop.signal });
  await expect(again).rejects.toThrow('the user said stop');
});
