import { describe, expect, test } from 'vitest';
import type { System } from '../config/system.ts';
import { dayMs, hourMs, minuteMs } from '../core/duration.ts';
import { defaultRetention, keepSet } from '../core/retention.ts';
import type { Marks, PruneFacts } from '../vault/prune/decide.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { floodIn, tooLarge } from './brakes.ts';

/** What the default retention drops of `all`. */
function usuallyGone(all: readonly RestorePoint[]): RestorePoint[] {
  const timed = all.map((point) => ({ point, timeMs: Date.parse(point.record.time) }));
  return keepSet(timed, defaultRetention, nowMs).flatMap(({ keep, point }) => (keep ? [] : [point.point]));
}

const config = { name: 'harbor', datasets: { uploads: { rpoMs: hourMs } } } as unknown as System;
const nowMs = Date.UTC(2026, 10, 20);

function points(count: number, everyMs: number): RestorePoint[] {
  return Array.from({ length: count }, (_, at) => ({
    key: String(at),
    record: {
      system: 'harbor',
      dataset: 'uploads',
      time: new Date(nowMs - at * everyMs).toISOString(),
      manifest: [`m${at}`, 1],
      packs: [],
    },
    storedMs: nowMs - at * everyMs,
    doubts: [],
  })) as unknown as RestorePoint[];
}

describe('a flood of restore points', () => {
  test('stops a prune when it came since the last one', () => {
    const flood = points(300, minuteMs);
    expect(floodIn(config, flood, 0)).toMatchObject({ code: 'prune-flood' });
    expect(floodIn(config, flood, nowMs)).toBeUndefined();
  });

  test('is not what another dataset’s objective makes, nor another system in the vault', () => {
    // Every five minutes, for a database of 15 minutes: the uploads of an hour come along.
    const both = { name: 'harbor', datasets: { db: { rpoMs: 15 * minuteMs }, uploads: { rpoMs: hourMs } } };
    expect(floodIn(both as unknown as System, points(2000, 5 * minuteMs), 0)).toBeUndefined();
    const other = { ...config, name: 'neighbour' };
    expect(floodIn(other, points(300, minuteMs), 0)).toBeUndefined();
  });

  test('is not what the schedule and some by hand make', () => {
    expect(floodIn(config, points(2000, 30 * minuteMs), 0)).toBeUndefined();
  });
});

describe('more than a fifth at once', () => {
  function drop(count: number, all: readonly RestorePoint[], lastPruneMs: number) {
    const generations = new Map(
      lastPruneMs === 0 ? [] : [[1, { storedMs: lastPruneMs, tombstones: new Set(), sparse: new Set() }]],
    );
    const facts = { places: [{ nowMs, packs: new Map(), generations }] } as unknown as PruneFacts;
    const withdrawn = all.slice(-count).map((point) => ({ ...point, needs: point.record }));
    const tombstones = new Set(withdrawn.map(({ record }) => record.manifest[0]));
    return tooLarge(config, facts, { withdrawn, tombstones } as unknown as Marks, all);
  }
  const all = points(70, hourMs);

  test('asks first', () => {
    expect(drop(26, all, nowMs - dayMs)).toMatchObject({ code: 'prune-too-large' });
    expect(drop(14, all, nowMs - 1)).toBeUndefined();
  });

  test('first-prune-too-large: at first is nothing unusual where the usual policy drops it too, or it is young', () => {
    expect(drop(69, all, 0)).toBeUndefined();
    const quarterHourly = points(30 * 96, 15 * minuteMs);
    const gone = usuallyGone(quarterHourly);
    expect(drop(gone.length, gone, 0)).toBeUndefined();
    // One a day for two months: the usual policy keeps two dozen of them, a mistaken one none.
    const daily = points(60, dayMs);
    expect(drop(59, daily, 0)).toMatchObject({ code: 'prune-too-large' });
    // Whoever holds a host's key writes many at once, so that the others go.
    const pushed = [...points(60, 1), ...points(12, hourMs)];
    expect(drop(60, pushed, 0)).toMatchObject({ code: 'prune-too-large' });
  });

  test('is nothing unusual for a policy at rest, which drops as many as came in', () => {
    expect(drop(23, all, nowMs - dayMs)).toBeUndefined();
    expect(drop(26, all, nowMs - dayMs)).toMatchObject({ code: 'prune-too-large' });
  });
});
