import { gapsIn, gapWords, isUnread } from '../../../core/gaps.ts';
import type { RestorePoint } from '../../../vault/index.ts';
import type { Finding } from '../parts.ts';

/**
 * What could not be read when the restore point was taken does not come back, however well everything else does. Undefined where all
 * was read: what was left out on purpose is named beside the verdict.
 */
export function checkGaps({ record }: RestorePoint): Finding | undefined {
  const unread = Object.fromEntries(Object.entries(gapsIn(record.problems)).filter(([code]) => isUnread(code)));
  const looked = Object.values(unread).reduce((sum, count) => sum + count, 0);
  if (looked === 0) return undefined;
  const message = `The restore point lacks what could not be read when it was taken: ${gapWords(unread)}. 'lifeboat list ${record.dataset}' names it.`;
  return { verdict: 'fail', looked, expected: 'all of it', actual: gapWords(unread), message };
}
