import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import { type Allowance, lossWords, type Measured, weigh } from './anomalies.ts';

const database: Allowance = { holds: 'tables', mayBeEmpty: false, mayShrink: [] };
const files: Allowance = { ...database, holds: 'files' };

/** Restore points of one dataset, oldest first, with these rows. */
function history(...counts: ReadonlyArray<Record<string, number> | undefined>): Measured[] {
  return counts.map((rows, at) => ({
    id: `p${at}`,
    timeMs: at,
    bytes: 100_000,
    entries: 1,
    ...(rows && { rows }),
  }));
}

const states = (points: readonly Measured[], allowed = database, settled?: string) =>
  points.map((_, at) => weigh(points.slice(0, at + 1), settled, allowed).state);

describe('M4: what a restore point holds is held against those before it', () => {
  test('one that never held anything is empty, and sound where it may be', () => {
    expect(states(history({ users: 0 }, { users: 0 }))).toEqual(['empty', 'empty']);
    expect(states(history({}), { ...database, mayBeEmpty: true })).toEqual(['sound']);
  });

  test('one that was emptied is lost, however little it held, and though it may be empty where it held much', () => {
    expect(states(history({ users: 3 }, { users: 0 }))).toEqual(['sound', 'lost']);
    expect(states(history({ users: 3 }, {}))).toEqual(['sound', 'lost']);
    const may = { ...files, mayBeEmpty: true };
    expect(states(history({ files: 3 }, { files: 0 }), may)).toEqual(['sound', 'sound']);
    expect(states(history({ files: 300 }, { files: 0 }), may)).toEqual(['sound', 'lost']);
  });

  test('more than half and at least 20 is a loss; half, or 19, is none', () => {
    const last = (before: number, now: number) => states(history({ t: before, u: 500 }, { t: now, u: 500 })).at(-1);
    expect(last(100, 50)).toBe('sound');
    expect(last(100, 49)).toBe('lost');
    expect(last(20, 1)).toBe('sound');
    expect(last(20, 0)).toBe('lost');
  });

  test('one table that is new excuses one that is gone, not all', () => {
    const before = { orders: 300, invoices: 100, users: 10 };
    expect(states(history(before, { sales: 300, bills: 100, users: 10 })).at(-1)).toBe('sound');
    const found = weigh(history(before, { sales: 300, users: 10 }), undefined, database);
    expect(found).toMatchObject({ state: 'lost', losses: [{ what: 'invoices', before: 100, now: 0 }] });
  });

  test('a table that vanished is lost, and one that only has another name is not', () => {
    expect(states(history({ orders: 90, users: 10 }, { users: 10 })).at(-1)).toBe('lost');
    expect(states(history({ orders: 90, users: 10 }, { orders_v2: 90, users: 10 })).at(-1)).toBe('sound');
    expect(states(history({ orders: 90, users: 10 }, { orders_v2: 0, users: 10 })).at(-1)).toBe('lost');
  });

  test('small losses add up, and growth since the proof counts', () => {
    const slow = history(...Array.from({ length: 40 }, (_, at) => ({ users: Math.round(1000 * 0.95 ** at) })));
    expect(states(slow, database, 'p0').at(-1)).toBe('lost');
    expect(states(slow).at(-1)).toBe('lost');
    expect(states(history({ users: 100 }, { users: 9000 }, { users: 90 }), database, 'p0').at(-1)).toBe('lost');
  });

  test('what was proved or accepted is what counts from then on, and a further loss fails again', () => {
    const fallen = history({ users: 1000 }, { users: 100 }, { users: 100 }, { users: 30 });
    expect(weigh(fallen.slice(0, 3), undefined, database).state).toBe('lost');
    expect(weigh(fallen.slice(0, 3), 'p1', database).state).toBe('sound');
    expect(weigh(fallen, 'p1', database).state).toBe('lost');
  });

  test('queues, sessions, and tables that the configuration names may drain; the others beside them may not', () => {
    const busy = { 'public.sessions': 900, django_session: 900, 'public.oban_jobs': 900, 'public.events_2026': 900 };
    const drained = Object.fromEntries(Object.keys(busy).map((table) => [table, 0]));
    const named = { ...database, mayShrink: ['public.events_*'] };
    expect(states(history({ ...busy, users: 50 }, { ...drained, users: 50 }), named).at(-1)).toBe('sound');
    expect(states(history({ ...busy, users: 50 }, { ...drained, users: 0 }), named).at(-1)).toBe('lost');
  });

  test('a table that fell and filled again by itself is no alarm a second time', () => {
    const points = history({ a: 900, jobs: 400 }, { a: 900, jobs: 5 }, { a: 900, jobs: 380 }, { a: 900, jobs: 0 });
    expect(states(points)).toEqual(['sound', 'lost', 'sound', 'sound']);
  });

  test('where nobody counted, sizes tell: of files their number, of a database much more than half', () => {
    const sizes = (entries: number, bytes: number, at: number): Measured => ({
      id: `p${at}`,
      timeMs: at,
      entries,
      bytes,
    });
    expect(weigh([sizes(200, 9e6, 0), sizes(40, 9e6, 1)], undefined, files).state).toBe('lost');
    expect(weigh([sizes(200, 9e6, 0), sizes(200, 2e6, 1)], undefined, files).state).toBe('lost');
    expect(weigh([sizes(1, 90_000, 0), sizes(1, 40_000, 1)], undefined, database).state).toBe('sound');
    expect(weigh([sizes(1, 90_000, 0), sizes(1, 9000, 1)], undefined, database).state).toBe('lost');
    expect(weigh([sizes(1, 9000, 0), sizes(1, 0, 1)], undefined, database).state).toBe('lost');
  });

  test('the words name the worst, and count the rest', () => {
    const rows = (count: number) => ({ a: count, b: count * 2, c: count * 3, d: count * 4, keep: 9999 });
    const weighed = weigh(history(rows(1000), rows(0)), undefined, database);
    expect(weighed.state === 'lost' && lossWords(weighed)).toBe(
      'Most of its data is gone: d had 4,000 rows and has 0, c had 3,000 rows and has 0, b had 2,000 rows and has 0, and 1 more table',
    );
  });
});

/** A life without harm: tables grow, lose up to two fifths of their most, empty ones fill, queues do as they like. */
const benign = fc
  .record({
    tables: fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 6 }),
    steps: fc.array(
      fc.record({
        kept: fc.array(fc.double({ min: 0.6, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 }),
        grows: fc.nat(500),
        queue: fc.nat(9000),
      }),
      { minLength: 1, maxLength: 30 },
    ),
    late: fc.nat(30),
  })
  .map(({ tables, steps, late }) => {
    const most = [...tables];
    return steps.map(({ kept, grows, queue }, at) => {
      const rows: Record<string, number> = { 'public.queue': queue, never: 0, late: at >= late ? 10 + at : 0 };
      for (const [i, peak] of most.entries()) {
        const count = at % 2 === 0 ? peak + grows : Math.max(1, Math.ceil(peak * kept[i]!));
        most[i] = Math.max(peak, count);
        rows[`table${i}`] = count;
      }
      return rows;
    });
  });

test('M4: no history without harm raises an alarm, whichever restore point was proved', () => {
  fc.assert(
    fc.property(benign, fc.nat(30), (steps, proved) => {
      const points = history(...steps);
      for (const settled of [undefined, `p${proved}`]) {
        expect(states(points, database, settled).every((state) => state === 'sound')).toBe(true);
      }
    }),
  );
});

test('M4: planned deletions that are accepted one by one raise no alarm after it', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 2, maxLength: 20 }), (counts) => {
      const points = history(...counts.map((users) => ({ users })));
      let settled: string | undefined;
      for (const [at, { id }] of points.entries()) {
        const before = points.slice(0, at + 1);
        if (weigh(before, settled, database).state === 'lost') settled = id;
        expect(weigh(before, settled, database).state).toBe('sound');
      }
    }),
  );
});
