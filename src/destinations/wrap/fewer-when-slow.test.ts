import { describe, expect, test } from 'vitest';
import { openMemory } from '../memory/destination.ts';
import { withFewerWhenSlow } from './fewer-when-slow.ts';

const pack = Buffer.alloc(1024);
const keys = Array.from({ length: 24 }, (_, at) => `packs/aa/${at}`);

/** A line whose uploads go on when the test says so: how many were under way at most, and each as it came. */
function line(largeBytes = pack.length, slowMs = 60_000) {
  const memory = openMemory({ name: 'ram' });
  let [running, most] = [0, 0];
  const paced = withFewerWhenSlow(
    {
      ...memory,
      async put(...words) {
        running++;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return memory.put(...words);
      },
    },
    { slowMs, largeBytes },
  );
  return { paced, most: () => most };
}

describe('files-03: packs on a line', () => {
  test('that is slow travel one by one, and all arrive', async () => {
    const { paced, most } = line(pack.length, 0);
    await Promise.all(keys.map((key) => paced.put(key, pack)));
    expect(most()).toBe(1);
    const held = await Array.fromAsync(paced.list(''));
    expect(held).toHaveLength(keys.length);
  });

  test('that is quick become more and more, sixteen at most', async () => {
    const { paced, most } = line();
    await Promise.all([...keys, ...keys.map((key) => `${key}b`)].map((key) => paced.put(key, pack)));
    expect(most()).toBeGreaterThan(4);
    expect(most()).toBeLessThanOrEqual(16);
  });

  test('hold up nothing small, and who is stopped leaves the queue', async () => {
    const { paced, most } = line(pack.length, 0);
    await Promise.all(keys.map((key) => paced.put(key, pack.subarray(1))));
    expect(most()).toBe(keys.length);
    const controller = new AbortController();
    const first = paced.put('packs/bb/1', pack);
    const second = paced.put('packs/bb/2', pack, { signal: controller.signal });
    controller.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
    await first;
    await paced.put('packs/bb/3', pack);
  });
});
