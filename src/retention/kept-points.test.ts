import { describe, expect, test } from 'vitest';
import { dayMs, hourMs } from '../core/duration.ts';
import type { Retention } from '../core/retention.ts';
import { type Keepable, keptPoints, reasonText } from './kept-points.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const last: Retention = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const options = { nowMs, intervalMs: hourMs };

function point(name: string, hoursAgo: number, more: Partial<Keepable> = {}) {
  return { name, timeMs: nowMs - hoursAgo * hourMs, places: ['disk'], counts: true, ...more };
}

const kept = (points: ReturnType<typeof point>[], policy = last) =>
  Object.fromEntries(
    keptPoints(points, policy, options).flatMap(({ point: { name }, keep, reasons }) =>
      keep ? [[name, reasons.map(reasonText)]] : [],
    ),
  );

describe('what is kept', () => {
  test('a doubtful or incomplete point takes no place of a sound one', () => {
    const points = [point('sound', 2), point('empty', 1, { counts: false }), point('older', 3)];
    expect(Object.keys(kept(points)).sort()).toEqual(['empty', 'sound']);
  });

  test('each place alone keeps what the policy asks for', () => {
    const points = [point('everywhere', 2, { places: ['disk', 'cloud'] }), point('ahead', 1, { places: ['cloud'] })];
    expect(Object.keys(kept(points)).sort()).toEqual(['ahead', 'everywhere']);
  });

  test('a clock that was set back does not make the newest point the first to go', () => {
    const points = [point('before', 2), point('after', 500, { otherTimesMs: [nowMs - hourMs] })];
    expect(kept(points)).toHaveProperty('after');
  });

  test('a class of its own is kept until its end and takes no place', () => {
    const migration = { className: 'pre-migration', untilMs: nowMs + dayMs };
    expect(kept([point('migration', 1, migration), point('usual', 2)])).toEqual({
      migration: ['pre-migration until 2026-11-21'],
      usual: ['last 1'],
    });
    const over = { ...migration, untilMs: nowMs - 1 };
    expect(kept([point('migration', 1, over), point('usual', 2)])).toEqual({ usual: ['last 1'] });
  });

  test('a pin holds until its end; an erasure goes before everything', () => {
    const pin = { reason: 'audit', untilMs: nowMs + 1 };
    expect(kept([point('new', 1), point('pinned', 9, { pin })])).toHaveProperty('pinned', ['pinned: audit']);
    expect(kept([point('new', 1), point('pinned', 9, { pin: { ...pin, untilMs: nowMs } })])).not.toHaveProperty(
      'pinned',
    );
    expect(kept([point('new', 1), point('erased', 9, { pin, erased: true })])).not.toHaveProperty('erased');
  });

  test('house-4.1: a class may have any name, also one that a rule or a pin begins with: its lock reaches as far as was promised', () => {
    const untilMs = nowMs + 365 * dayMs;
    for (const className of ['last release', 'pinned: by hand', 'hourly', 'within', 'until 2026-01-01']) {
      const points = [point('new', 1), point('kept', 9, { className, untilMs })];
      const found = keptPoints(points, last, options).find(({ point: { name } }) => name === 'kept');
      expect(found, className).toMatchObject({ keep: true, goesMs: untilMs, staysMs: untilMs });
    }
  });

  test('every point has an end, but one that is pinned without', () => {
    const points = [point('pinned', 9, { pin: { reason: 'audit' } }), point('new', 1)];
    const ends = keptPoints(points, { ...last, daily: 7, monthly: 12 }, options).map(({ goesMs }) => goesMs);
    expect(ends).toEqual([Date.UTC(2027, 10, 1), undefined]);
  });
});
