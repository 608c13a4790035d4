import { expect, test } from 'vitest';
import type { RecoverDocument } from '../jobs/recover.ts';
import { styleOf } from './output.ts';
import { recoverText } from './recover.ts';

const back = {
  dataset: 'db',
  state: 'back',
  time: '2026-11-20T10:00:00.000Z',
  where: 'db',
  compared: undefined,
} as const;
const asRecorded = { verdict: 'as recorded' as const, message: 'As recorded: 2 rows.', looked: 1 };
const different = { verdict: 'different' as const, message: 'TABLE t has another owner.', looked: 1 };
const failed = { dataset: 'files', state: 'failed', error: { code: 'x', message: 'No room.', hint: '' } } as const;

const nothing: RecoverDocument = {
  ...{ rehearsal: false, datasets: [], passedOver: [], damage: [], manual: [] },
  ...{ rtoMs: 1000, elapsedMs: 2000 },
};

function verdictOf(change: Partial<RecoverDocument>): string | undefined {
  return recoverText({ ...nothing, ...change }, Date.now(), styleOf(false))
    .split('\n')
    .at(-1);
}

test('a recovery has one verdict: whoever reads that all is back finds nothing that differs, is older or is not there', () => {
  expect(verdictOf({ datasets: [{ ...back, compared: asRecorded }] })).toMatch(/^All of it is back: 1 dataset/);
  expect(verdictOf({ datasets: [{ ...back, compared: different }] })).toMatch(/^Back, and not as recorded: db\. /);
  expect(verdictOf({ datasets: [{ ...back, compared: different }, failed] })).toMatch(/^Not back: files\. /);
  const older = { dataset: 'db', id: 'a', time: '2026-11-20T11:00:00.000Z', doubts: [{ why: 'no known writer' }] };
  const passedOver = [older] as unknown as RecoverDocument['passedOver'];
  expect(verdictOf({ datasets: [{ ...back, compared: asRecorded }], passedOver })).toMatch(
    /^Back, and not from the newest restore points: /,
  );
});
