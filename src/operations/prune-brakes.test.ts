import { describe, expect, test } from 'vitest';
import type { System } from '../config/system.ts';
import { dayMs, hourMs, minuteMs } from '../core/duration.ts';
import type { Marks, PruneFacts } from '../vault/prune/decide.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { refuseFlood, refuseLarge } from './prune-brakes.ts';

const config = { datasets: { uploads: { rpoMs: hourMs } } } as unknown as System;
const nowMs = Date.UTC(2026, 10, 20);

function points(count: number, everyMs: number): RestorePoint[] {
  return Array.from({ length: count }, (_, at) => ({
    key: String(at),
    record: { dataset: 'uploads', manifest: [`m${at}`, 1], packs: [] },
    storedMs: nowMs - at * everyMs,
    doubts: [],
  })) as unknown as RestorePoint[];
}

describe('a flood of restore points', () => {
  test('stops a prune when it came since the last one', () => {
    const flood = points(300, minuteMs);
    expect(() => refuseFlood(config, flood, 0)).toThrow(expect.objectContaining({ code: 'prune-flood' }));
    expect(() => refuseFlood(config, flood, nowMs)).not.toThrow();
  });

  test('is not what the schedule and some by hand make', () => {
    expect(() => refuseFlood(config, points(2000, 30 * minuteMs), 0)).not.toThrow();
  });
});

describe('more than a fifth at once', () => {
  function drop(count: number, all: readonly RestorePoint[], lastPruneMs: number) {
    const generations = new Map(
      lastPruneMs === 0 ? [] : [[1, { storedMs: lastPruneMs, tombstones: new Set(), sparse: new Set() }]],
    );
    const facts = { places: [{ packs: new Map(), generations }] } as unknown as PruneFacts;
    const withdrawn = all.slice(-count);
    const tombstones = new Set(withdrawn.map(({ record }) => record.manifest[0]));
    return () => refuseLarge(facts, { withdrawn, tombstones } as unknown as Marks, all);
  }
  const all = points(70, hourMs);

  test('asks first', () => {
    expect(drop(15, all, 0)).toThrow(expect.objectContaining({ code: 'prune-too-large' }));
    expect(drop(14, all, 0)).not.toThrow();
  });

  test('is nothing unusual for a policy at rest, which drops as many as came in', () => {
    expect(drop(23, all, nowMs - dayMs)).not.toThrow();
    expect(drop(26, all, nowMs - dayMs)).toThrow(expect.objectContaining({ code: 'prune-too-large' }));
  });
});
