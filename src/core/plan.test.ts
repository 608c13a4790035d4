import { describe, expect, test } from 'vitest';
import { type PlanInput, recoveryPlan } from './plan.ts';

const minute = 60_000;
const input: PlanInput = {
  name: 'harbor',
  datasets: { 'app-db': { type: 'sqlite', rtoMs: 10 * minute }, uploads: { type: 'files', rtoMs: 30 * minute } },
  drill: {
    app: { start: 'node server.js', ready: { shown: 'http://127.0.0.1/health' }, readyTimeoutMs: minute },
    checks: [
      { id: 'sign in', type: 'http', timeoutMs: minute },
      { id: 'invoices', type: 'sql', timeoutMs: minute },
    ],
    skip: [],
  },
};

describe('the recovery plan', () => {
  test('looks at restored data before the application can change it, and cleans up at the end', () => {
    expect(recoveryPlan(input).steps.map(({ id }) => id)).toEqual([
      'app-db/find',
      'uploads/find',
      'app-db/restore',
      'uploads/restore',
      'app-db/integrity',
      'app-db/expectations',
      'uploads/integrity',
      'uploads/expectations',
      'invoices',
      'application/start',
      'sign in',
      'traffic/switch',
      'clean-up',
    ]);
  });

  test('says of each step what it is for, what it runs, what proves it, by when, and who does it', () => {
    for (const step of recoveryPlan(input).steps) {
      for (const text of [step.purpose, step.runs, step.proves, step.who]) expect(text).not.toBe('');
      expect(step.deadlineMs > 0 || step.who === 'operator').toBe(true);
    }
  });

  test('names what a drill cannot prove: traffic, a missing application, what was left out on purpose', () => {
    const { app: _, ...bare } = input.drill;
    const skip = [{ what: 'invoices', reason: 'none yet' }];
    const plan = recoveryPlan({ ...input, drill: { ...bare, skip } }, ['app-db']);
    const notProved = plan.steps.flatMap(({ id, notProved }) => (notProved === undefined ? [] : [id]));
    expect(notProved).toEqual(['invoices', 'application/start', 'traffic/switch']);
    expect(plan.steps.some(({ dataset }) => dataset === 'uploads')).toBe(false);
  });
});
