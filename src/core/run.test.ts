import { expect, test } from 'vitest';
import { type RunEvent, startRun, stepOf } from './run.ts';

function watched() {
  const events: RunEvent[] = [];
  let ms = 0;
  const clock = { now: () => 0, elapsed: () => ms++ };
  return { events, run: startRun({ clock, onEvent: (event) => events.push(event) }) };
}

test('house-4.4: steps side by side keep their names, what they say, and the errors that come out of them', async () => {
  const { events, run } = watched();
  const gate = Promise.withResolvers<void>();
  const shared = Object.freeze(new Error('both heard it'));
  const backup = run.step('backup', (run) =>
    run.step('store', async (run) => {
      await gate.promise;
      run.progress({ doneItems: 1 });
      throw shared;
    }),
  );
  const wal = run.step('wal', (run) =>
    run.step('push', async (run) => {
      run.problem({ code: 'late', message: 'a piece is late' });
      gate.resolve();
    }),
  );
  await wal;
  await expect(backup).rejects.toBe(shared);
  expect(stepOf(shared)).toBe('backup/store');
  const of = (name: string) =>
    events.filter(({ step }) => step.split('/')[0] === name).map(({ type, step }) => `${type} ${step}`);
  expect(of('backup')).toEqual([
    'step-started backup',
    'step-started backup/store',
    'progress backup/store',
    'step-ended backup/store',
    'step-ended backup',
  ]);
  expect(of('wal')).toEqual([
    'step-started wal',
    'step-started wal/push',
    'problem wal/push',
    'step-ended wal/push',
    'step-ended wal',
  ]);
  expect(run.timings.map(({ step }) => step).sort()).toEqual(['backup', 'backup/store', 'wal', 'wal/push']);
  expect(run.problems).toHaveLength(1);
});

test('two of one name are told apart by their ids', async () => {
  const { events, run } = watched();
  await Promise.all([run.step('copy', async () => {}), run.step('copy', async () => {})]);
  const started = events.filter(({ type }) => type === 'step-started').map(({ id }) => id);
  const ended = events.filter(({ type }) => type === 'step-ended').map(({ id }) => id);
  expect(new Set(started).size).toBe(2);
  expect([...ended].sort()).toEqual([...started].sort());
});

test('a part counts anew, and the whole has it too', async () => {
  const { run } = watched();
  await run.step('before', async () => {});
  const part = run.part();
  part.problem({ code: 'seen', message: 'seen' });
  await run.step('beside', async () => {});
  await part.step('within', async () => {});
  expect(part.timings.map(({ step }) => step)).toEqual(['within']);
  expect(part.problems).toHaveLength(1);
  expect(run.timings.map(({ step }) => step)).toEqual(['before', 'beside', 'within']);
  expect(run.problems).toHaveLength(1);
});
