import { expect, test } from 'vitest';
import { judgePlacement } from '../core/three-two-one.ts';
import type { SystemStatus } from '../operations/status/status.ts';
import { styleOf } from './output.ts';
import { statusText } from './status-text.ts';

const proof = {
  id: '01M7XTDBKX0W1FTXCCTHJHZK99',
  at: '2026-11-20T10:00:00.000Z',
  checksPassed: 1,
  checksTotal: 1,
  rtoMs: 1000,
  rtoObjectiveMs: 60_000,
  left: [],
};

function first(answer: Partial<SystemStatus['answer']>, proof: SystemStatus['proof']): string[] {
  const datasets = ['app-db', 'uploads'].map((name) => ({
    name,
    type: 'files',
    rpoMs: 1,
    rtoMs: 1,
    newest: null,
    passedOver: [],
    restorePoints: 0,
    lossMs: null,
    provedAt: null,
    data: 'sound' as const,
    accepted: [],
    troubles: [],
  }));
  const status = {
    system: 'harbor',
    environment: 'production',
    at: '2026-11-20T10:10:00.000Z',
    ok: true,
    answer: { known: true, lossMs: 60_000, withoutRestorePoint: [], recoveryMs: null, unproved: [], ...answer },
    proof,
    lastDrill: null,
    verification: null,
    configuration: null,
    datasets,
    destinations: [],
    placement: judgePlacement([]),
    troubles: [],
  };
  return statusText(status, styleOf(false)).split('\n').slice(0, 2);
}

const lose = "If harbor's production disappeared now, you would lose at most 1 min of data";

test('says how long it takes to be back only of the whole system, and names what nobody has proved', () => {
  expect(first({ recoveryMs: 5000 }, proof)[0]).toBe(`${lose} and be back in about 5 s.`);
  expect(first({ unproved: ['app-db', 'uploads'] }, null)).toEqual([
    `${lose}, and nobody has proved that you would be back at all.`,
    'Never proved: there was no drill yet.',
  ]);
  expect(first({ unproved: ['uploads'] }, null)).toEqual([
    `${lose}, and nobody has proved that uploads would be back.`,
    'Never proved as a whole: drills proved parts only.',
  ]);
  expect(first({}, null)[0]).toBe(`${lose}, and nobody has proved that all of it would be back together.`);
});

test('claims nothing when no destination answers', () => {
  const [answer] = first({ known: false, lossMs: null, withoutRestorePoint: ['app-db', 'uploads'] }, null);
  expect(answer).toBe(
    'No destination can be reached: what would be lost, and whether it would come back, is not known.',
  );
});

test('says with the proof what drills leave out, and counts one as one', () => {
  expect(first({ unproved: ['uploads'] }, { ...proof, left: ['uploads'] })).toEqual([
    `${lose}, and nobody has proved that uploads would be back.`,
    'Proved without uploads Fri 20 Nov 10:00 UTC by drill 01M7XTDBKX0W1FTXCCTHJHZK99 (10 min ago): 1 of 1 check, RTO 1 s of 1 min.',
  ]);
});
