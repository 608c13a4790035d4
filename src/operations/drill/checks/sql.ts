import type { SqlCheck } from '../../../config/system.ts';
import { meets } from '../../../core/condition.ts';
import type { Copy, Finding } from '../parts.ts';
import { queryCopy } from '../query.ts';

/** The first column of the first row meets the condition. A query that gives no row has looked at nothing. */
export async function checkSql(check: SqlCheck, copy: Copy, signal: AbortSignal): Promise<Finding> {
  const expected = check.expect.text;
  let row: ReadonlyArray<string | null> | undefined;
  let looked = 0;
  for await (const { rows } of queryCopy(copy, check.query, { timeoutMs: check.timeoutMs, signal })) {
    row ??= rows[0];
    looked += rows.length;
    // Enough to know that it looked; a query for a million rows needs no reading to its end.
    if (looked > 0) break;
  }
  if (row === undefined) {
    const message = 'The query gave no row, so it looked at nothing.';
    const none = { looked: 0, expected, actual: 'no row', message };
    return check.mayBeEmpty ? { ...none, verdict: 'pass', emptyIsRight: true } : { ...none, verdict: 'fail' };
  }
  const value = row[0] ?? null;
  const actual = value === null ? 'null' : shorten(value);
  const passesOnNothing = [null, '', '0'].some((nothing) => meets(nothing, check.expect));
  return meets(value, check.expect)
    ? { verdict: 'pass', looked, passesOnNothing, expected, actual, message: `${actual} meets '${expected}'.` }
    : { verdict: 'fail', looked, expected, actual, message: `${actual} does not meet '${expected}'.` };
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
