import { expect, test } from 'vitest';
import { judgePlacement } from '../core/three-two-one.ts';
import type { DatasetStatus, SystemStatus } from '../operations/status/status.ts';
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
  return textOf({ answer: { ...nothing, ...answer }, proof })
    .split('\n')
    .slice(0, 2);
}

const nothing = { known: true, lossMs: 60_000, withoutRestorePoint: [], recoveryMs: null, unproved: [] };

function textOf(told: Partial<SystemStatus>): string {
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
    failedAt: null,
    data: 'sound' as const,
    accepted: [],
    troubles: [],
  }));
  const status = {
    system: 'harbor',
    environment: 'production',
    at: '2026-11-20T10:10:00.000Z',
    ok: true,
    answer: nothing,
    proof,
    failure: null,
    lastDrill: null,
    verification: null,
    configuration: null,
    datasets,
    destinations: [],
    placement: judgePlacement([]),
    acceptedWarnings: [],
    troubles: [],
    ...told,
  };
  return statusText(status, styleOf(false));
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

const dataset: DatasetStatus = {
  name: 'customer-files',
  type: 'files',
  rpoMs: 15 * 60_000,
  rtoMs: 60_000,
  newest: {
    id: '1',
    time: '2026-11-20T10:00:00.000Z',
    sizeBytes: 1023 * 1024,
    destinations: ['a', 'b'],
    missingAt: [],
  },
  passedOver: [],
  restorePoints: 1234,
  lossMs: 59 * 60_000,
  provedAt: '2026-11-20T10:00:00.000Z',
  failedAt: null,
  data: 'sound',
  accepted: [],
  troubles: [],
};

test('status-after-failed-drill: says first that it would not come back, and keeps the older proof below that', () => {
  const failed = textOf({
    answer: { ...nothing, recoveryMs: null },
    proof,
    failure: { drill: '01M7XTDBKX0W1FTXCCTHJHZK98', at: '2026-11-20T10:09:00.000Z', checks: ['files open'] },
    datasets: [{ ...dataset, failedAt: '2026-11-20T10:09:00.000Z' }, dataset],
    troubles: [{ severity: 'bad', code: 'drill-failed', message: 'The last drill failed: files open.', command: 'x' }],
  });
  expect(failed.split('\n').slice(0, 9)).toEqual([
    `${lose}, and it would not come back as it should: a drill failed.`,
    'Failed Fri 20 Nov 10:09 UTC in drill 01M7XTDBKX0W1FTXCCTHJHZK98 (1 min ago), and was not drilled again since.',
    'Last proved Fri 20 Nov 10:00 UTC by drill 01M7XTDBKX0W1FTXCCTHJHZK99 (10 min ago).',
    '',
    '✗ The last drill failed: files open.',
    '    run: x',
    '',
    '✗  customer-files  59 min old (of 15 min)  1023 KiB  2 copies  failed 1 min ago',
    '✓  customer-files  59 min old (of 15 min)  1023 KiB  2 copies  proved 10 min ago',
  ]);
});

test('a line of a dataset fits into 80 columns where its name has 14 letters, also where numbers are long', () => {
  const rows = textOf({ proof, answer: { ...nothing, recoveryMs: 1 }, datasets: [dataset] }).split('\n');
  const row = rows.find((line) => line.includes(dataset.name)) ?? '';
  expect([...row].length).toBeLessThanOrEqual(80);
});
