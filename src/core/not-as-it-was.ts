import type { Problem } from './run.ts';

/** Of a restore: an object of the backup is not there. */
export const notMadeAgain = 'object-not-made-again';
/** Of a restore: a constraint is back and was not checked, as rows of the backup break it. */
export const madeNotValid = 'constraint-not-validated';

/** All rows are back, and something beside them is not as it was. */
export function isNotAsItWas({ code }: Problem): boolean {
  return code === notMadeAgain || code === madeNotValid;
}
