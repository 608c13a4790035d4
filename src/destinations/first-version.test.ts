import { expect, test } from 'vitest';
import { firstSound, traceOf } from './first-version.ts';
import { openMemory } from './memory/destination.ts';
import { withFaults } from './wrap/fault.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test('a first version that cannot be looked at now is not passed over for one that was put over it', async () => {
  const memory = openMemory({ name: 'bucket', versions: { overwrites: true } });
  await memory.put('snapshots/a', Buffer.from('the true one'));
  await memory.put('snapshots/a', Buffer.from('as well formed'));
  const trace = (await traceOf(memory, 'snapshots/a'))!;
  const first = { verb: 'getVersion', nth: 1, kind: 'error-before' } as const;
  await expect(firstSound(withFaults(memory, [first]), trace, text)).rejects.toMatchObject({
    code: 'destination-unreachable',
  });
  expect(await firstSound(memory, trace, text)).toMatchObject({ value: 'the true one' });
});
