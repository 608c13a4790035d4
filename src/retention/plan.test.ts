import { expect, test } from 'vitest';
import type { System } from '../config/system.ts';
import { minuteMs } from '../core/duration.ts';
import { defaultRetention } from '../core/retention.ts';
import { newSigningKey } from '../vault/format/signing.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { planFor } from './plan.ts';

const system = {
  name: 'large',
  datasets: { data: { type: 'files', retention: defaultRetention, rpoMs: 60 * minuteMs } },
} as unknown as System;

const writer = newSigningKey().publicKey;

/** How often the sizes of restore points are looked at, for so many of them. */
function looksAt(count: number): number {
  let looks = 0;
  const points = Array.from({ length: count }, (_, at) => {
    const time = new Date(at * minuteMs).toISOString();
    const sizes = { logical: 1, entries: 1 };
    const record = {
      system: 'large',
      dataset: 'data',
      writer,
      id: String(at),
      time,
      committed: time,
      retention: {},
    };
    Object.defineProperty(record, 'sizes', { get: () => [looks++, sizes][1] });
    return { key: String(at), record, storedMs: at * minuteMs, doubts: [], destinations: ['one'] };
  });
  expect(planFor(system, { points: points as unknown as RestorePoint[], suspect: [] }).kept.size).toBeGreaterThan(0);
  return looks;
}

test('house-7: each restore point is weighed as often in a long history as in a short one', () => {
  expect(looksAt(2000) / looksAt(200)).toBeCloseTo(10, 0);
});

test('house-7: the times of a very long history fit on the stack', () => {
  expect(() => looksAt(150_000)).not.toThrow();
});
