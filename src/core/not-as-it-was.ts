import type { Problem } from './run.ts';

/** Of a restore: an object of the backup is not there. */
export const notMadeAgain = 'object-not-made-again';
/** Of a restore: an object is back, and belongs to who restored it. */
export const ownerNotGiven = 'owner-not-given';
/** Of a restore: a constraint is back and was not checked, as rows of the backup break it. */
export const madeNotValid = 'constraint-not-validated';
/** Of a restore: the place it went to does not take an entry: its name, its size, what it is. */
export const entryNotRestored = 'entry-not-restored';

/** What could be brought back is, and something is missing or not as it was. */
export function isNotAsItWas({ code }: Problem): boolean {
  return [notMadeAgain, ownerNotGiven, madeNotValid, entryNotRestored].includes(code);
}
