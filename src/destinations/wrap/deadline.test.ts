import { expect, test } from 'vitest';
import { openMemory } from '../memory/destination.ts';
import { withDeadline } from './deadline.ts';
import { withFaults } from './fault.ts';

const body = Buffer.from('x');
const soon = { answerMs: 30, bytesPerSecond: 1024 };

test('every verb that hangs ends by itself, as unreachable', async () => {
  const hangs = withFaults(openMemory({ name: 'ram', versions: {} }), [{ kind: 'hang' }]);
  const bounded = withDeadline(hangs, { ...soon, bytesPerSecond: 1e12 });
  const listing = async (items: AsyncIterable<unknown>) => {
    for await (const _ of items) expect.unreachable();
  };
  const history = bounded.history!;
  const all = [
    bounded.put('a', body),
    bounded.get('a'),
    bounded.stat('a'),
    bounded.delete('a'),
    bounded.freeBytes(),
    listing(bounded.list('')),
    listing(history.listVersions('')),
    history.versionsOf('a'),
    history.getVersion('a', 'v'),
    history.lockOf('a', 'v'),
    history.extendLock('a', 'v', 1),
  ];
  for (const one of await Promise.allSettled(all)) {
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'destination-unreachable' } });
  }
});

test('what is large may take longer, and the caller still can stop it', async () => {
  const memory = openMemory({ name: 'ram' });
  const slow = {
    ...memory,
    put: async (...all: Parameters<typeof memory.put>) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, 150);
      await promise;
      return memory.put(...all);
    },
  };
  const bounded = withDeadline(slow, soon);
  await expect(bounded.put('small', body)).rejects.toMatchObject({ code: 'destination-unreachable' });
  await bounded.put('large', Buffer.alloc(100 * 1024));
  const hangs = withDeadline(withFaults(memory, [{ verb: 'get', kind: 'hang' }]));
  const signal = AbortSignal.timeout(10);
  await expect(hangs.get('large', undefined, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
});
