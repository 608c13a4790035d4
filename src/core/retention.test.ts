import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { dayMs, hourMs } from './duration.ts';
import { defaultRetention, keepSet, type Retention } from './retention.ts';

const none: Retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const now = Date.UTC(2026, 10, 20, 12, 30);
const every = (stepMs: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ timeMs: now - index * stepMs }));
const kept = (points: { timeMs: number }[], policy: Retention, at = now) =>
  keepSet(points, policy, at).flatMap((one) => (one.keep ? [one.point.timeMs] : []));

const anyPolicy = fc.record({
  last: fc.integer({ min: 1, max: 5 }),
  hourly: fc.nat(30),
  daily: fc.nat(10),
  weekly: fc.nat(6),
  monthly: fc.nat(14),
  yearly: fc.nat(4),
});
const anyPoints = fc.uniqueArray(
  fc.integer({ min: now - 1000 * dayMs, max: now }).map((timeMs) => ({ timeMs })),
  { maxLength: 80, selector: (point) => point.timeMs },
);

describe('retention', () => {
  test('keeps the newest point of each hour, day, week and month, and says by which rules', () => {
    const decided = keepSet(every(hourMs / 2, 24 * 2 * 60), defaultRetention, now);
    const by = (rule: string) => decided.filter((one) => one.rules.some((one) => one === rule)).length;
    expect([by('last'), by('hourly'), by('daily'), by('weekly'), by('monthly')]).toEqual([3, 24, 7, 4, 3]);
    expect(decided.filter((one) => one.keep).length).toBe(25 + 5 + 2 + 2);
    expect(decided[0]?.rules).toEqual(['last', 'hourly', 'daily', 'weekly', 'monthly']);
  });

  test('weeks begin on Monday', () => {
    const sunday = { timeMs: Date.UTC(2026, 10, 15, 23) };
    const monday = { timeMs: Date.UTC(2026, 10, 16, 1) };
    const friday = { timeMs: Date.UTC(2026, 10, 20, 1) };
    expect(kept([sunday, monday, friday], { ...none, weekly: 2 })).toEqual([friday.timeMs, sunday.timeMs]);
  });

  test('within counts from the newest point, so a fast clock drops nothing more', () => {
    const points = every(dayMs, 10);
    const policy = { ...none, withinMs: 3 * dayMs };
    expect(kept(points, policy)).toHaveLength(4);
    expect(kept(points, policy, now + 400 * dayMs)).toHaveLength(4);
  });

  test('the newest are kept whatever the policy says', () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, (points, policy) => {
        const newest = points.map((point) => point.timeMs).sort((a, b) => b - a);
        expect(kept(points, policy)).toEqual(expect.arrayContaining(newest.slice(0, policy.last)));
      }),
    );
  });

  test('dropping what may be dropped changes nothing for the rest', () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, (points, policy) => {
        const once = kept(points, policy);
        expect(
          kept(
            once.map((timeMs) => ({ timeMs })),
            policy,
          ),
        ).toEqual(once);
      }),
    );
  });

  test('A11: points from the future are kept and push nothing out', () => {
    fc.assert(
      fc.property(
        anyPoints,
        anyPolicy,
        fc.array(fc.integer({ min: 1, max: 900 * dayMs }), { maxLength: 9 }),
        (points, policy, ahead) => {
          const future = ahead.map((ms) => ({ timeMs: now + ms }));
          const together = kept([...points, ...future], policy);
          expect(together).toEqual(expect.arrayContaining(future.map((point) => point.timeMs)));
          expect(together.filter((timeMs) => timeMs <= now)).toEqual(kept(points, policy));
        },
      ),
    );
  });

  test('a clock that was set back drops nothing that it now takes for the future', () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, fc.integer({ min: 0, max: 900 * dayMs }), (points, policy, back) => {
        const survivors = kept(points, policy, now - back);
        const future = points.filter((point) => point.timeMs > now - back).map((point) => point.timeMs);
        expect(survivors).toEqual(expect.arrayContaining(future));
      }),
    );
  });

  test('a clock that runs ahead drops nothing more', () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, fc.nat(9000 * dayMs), (points, policy, ahead) => {
        expect(kept(points, policy, now + ahead)).toEqual(kept(points, policy, now));
      }),
    );
  });
});
