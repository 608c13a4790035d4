import { expect, test } from 'vitest';
import { withinBounds } from './ahead.ts';

/** Work that ends when it is told to, in any order. */
function slowWork() {
  const running = new Map<number, { end(): void; fail(error: Error): void }>();
  const begun: number[] = [];
  return {
    running,
    begun,
    work: (size: number) =>
      new Promise<void>((resolve, reject) => {
        const number = begun.push(size) - 1;
        const out = (settle: () => void) => () => {
          running.delete(number);
          settle();
        };
        running.set(number, { end: out(resolve), fail: (error) => out(() => reject(error))() });
      }),
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('many small objects are asked for side by side', async () => {
  const { running, begun, work } = slowWork();
  const all = withinBounds(Array(40).fill(1), (size) => size, { bytes: 1000, items: 16 }, work);
  await turn();
  expect(running.size).toBe(16);
  while (begun.length < 40 || running.size > 0) {
    expect(running.size).toBeLessThanOrEqual(16);
    [...running.values()].at(-1)?.end();
    await turn();
  }
  await all;
});

test('large ones take no more memory than they may, and one that is larger still works alone', async () => {
  const { running, begun, work } = slowWork();
  const sizes = [40, 40, 10, 500, 30, 70];
  const all = withinBounds(sizes, (size) => size, { bytes: 100, items: 16 }, work);
  for (await turn(); running.size > 0; await turn()) {
    const together = [...running.keys()].map((number) => sizes[number]!);
    expect(together.length === 1 || together.reduce((sum, size) => sum + size) <= 100).toBe(true);
    [...running.values()][0]!.end();
  }
  await all;
  expect(begun).toEqual(sizes);
});

test('after a failure nothing begins, and it is thrown when the rest has ended', async () => {
  const { running, begun, work } = slowWork();
  const all = withinBounds(Array(9).fill(1), (size) => size, { bytes: 3, items: 9 }, work);
  let settled = false;
  all.catch(() => {}).finally(() => (settled = true));
  await turn();
  running.get(1)!.fail(new Error('gone'));
  await turn();
  expect([settled, begun.length]).toEqual([false, 3]);
  for (const { end } of [...running.values()]) end();
  await expect(all).rejects.toThrow('gone');
});
