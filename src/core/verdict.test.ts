import { describe, expect, test } from 'vitest';
import fc from '../../test/support/fast-check.ts';
import type { CheckKind, CheckResult, CheckVerdict } from './checks.ts';
import { judge } from './verdict.ts';

const kinds: CheckKind[] = [
  'restored',
  'expectations',
  'integrity',
  'sql',
  'references',
  'freshness',
  'http',
  'command',
];
const dataKinds: CheckKind[] = ['expectations', 'sql', 'references'];
const verdicts: CheckVerdict[] = ['pass', 'fail', 'skip', 'error'];
const datasets = ['app-db', 'uploads'];

function check(change: Partial<CheckResult>): CheckResult {
  return {
    id: 'app-db/expectations',
    kind: 'expectations',
    dataset: 'app-db',
    verdict: 'pass',
    looked: 3,
    expected: '',
    actual: '',
    message: 'as recorded',
    elapsedMs: 1,
    ...change,
  };
}

const anyCheck = fc.record({
  id: fc.string({ minLength: 1, maxLength: 8 }),
  kind: fc.constantFrom(...kinds),
  dataset: fc.constantFrom(...datasets),
  verdict: fc.constantFrom(...verdicts),
  looked: fc.integer({ min: 0, max: 3 }),
  emptyIsRight: fc.boolean(),
  reason: fc.constantFrom('', '  ', 'it is rebuilt from the ledger'),
  expected: fc.constant(''),
  actual: fc.constant(''),
  message: fc.constant('message'),
  elapsedMs: fc.constant(1),
});
const anyChecks = fc.array(anyCheck, { maxLength: 12 });
const hollow = (one: CheckResult) => one.verdict === 'pass' && one.looked === 0 && !one.emptyIsRight;
const bareSkip = (one: CheckResult) => one.verdict === 'skip' && !one.reason?.trim();

describe('the verdict of a drill', () => {
  test('proved means: every dataset has a data check that passed and looked, and nothing speaks against it', () => {
    fc.assert(
      fc.property(anyChecks, (checks) => {
        const clean = checks.every(
          (one) => one.verdict !== 'fail' && one.verdict !== 'error' && !hollow(one) && !bareSkip(one),
        );
        const covered = datasets.every((dataset) =>
          checks.some((one) => one.dataset === dataset && one.verdict === 'pass' && dataKinds.includes(one.kind)),
        );
        expect(judge(datasets, checks).verdict === 'proved').toBe(clean && covered);
      }),
      { numRuns: 500 },
    );
  });

  test('a fault stays a fault whatever else is added', () => {
    fc.assert(
      fc.property(anyChecks, fc.nat(), (checks, at) => {
        const with_: CheckResult[] = [...checks];
        with_.splice(at % (checks.length + 1), 0, check({ verdict: 'fail' }));
        expect(judge(datasets, with_).verdict).toBe('failed');
      }),
    );
  });

  test('it never depends on the order of checks, and says why exactly when it is not proved', () => {
    fc.assert(
      fc.property(anyChecks, (checks) => {
        const judged = judge(datasets, checks);
        expect(judge(datasets, [...checks].reverse()).verdict).toBe(judged.verdict);
        expect(judged.why.length === 0).toBe(judged.verdict === 'proved');
      }),
    );
  });

  test('inconclusive is only what an error caused', () => {
    fc.assert(
      fc.property(anyChecks, (checks) => {
        if (judge(datasets, checks).verdict !== 'inconclusive') return;
        expect(checks.some((one) => one.verdict === 'error')).toBe(true);
        expect(checks.some((one) => one.verdict === 'fail')).toBe(false);
      }),
    );
  });

  test('V9: a check that looked at nothing does not pass (open-pryv.io #124, nself cli #325)', () => {
    const judged = judge(['app-db'], [check({ looked: 0 })]);
    expect(judged.verdict).toBe('failed');
    expect(judged.why[0]).toContain('without looking at anything');
    for (const looked of [Number.NaN, -1]) expect(judge(['app-db'], [check({ looked })]).verdict).toBe('failed');
  });

  test('V9: an empty database that was recorded as empty is no alarm (micro-org #517)', () => {
    expect(judge(['app-db'], [check({ looked: 0, emptyIsRight: true })]).verdict).toBe('proved');
  });

  test('a skip counts against the proof until somebody wrote down why', () => {
    const skip = check({ id: 'invoices', kind: 'sql', verdict: 'skip' });
    expect(judge(['app-db'], [check({}), skip]).verdict).toBe('failed');
    expect(judge(['app-db'], [check({}), { ...skip, reason: ' ' }]).verdict).toBe('failed');
    expect(judge(['app-db'], [check({}), { ...skip, reason: 'no invoices yet' }]).verdict).toBe('proved');
  });

  test('that something answers, or that hashes fit, proves nothing about data (Containarium #1159)', () => {
    const weak = ['restored', 'integrity', 'freshness', 'http', 'command'] as const;
    const checks = weak.map((kind) => check({ id: kind, kind }));
    expect(judge(['app-db'], checks)).toEqual({
      verdict: 'failed',
      why: ['app-db: no check looked into its data.'],
    });
  });

  test('an error alone is not held against the backup', () => {
    expect(judge(['app-db'], [check({ verdict: 'error' })]).verdict).toBe('inconclusive');
    expect(judge(['app-db'], [check({ verdict: 'error' }), check({ verdict: 'fail' })]).verdict).toBe('failed');
  });

  test('no dataset and no check is no proof', () => {
    expect(judge([], []).verdict).toBe('failed');
    expect(judge(['app-db'], []).verdict).toBe('failed');
  });
});
