import { isTable } from '../../../core/anomalies.ts';
import {
  type Expectations,
  type NotCompared,
  notComparedIn,
  type TableExpectation,
} from '../../../core/expectations.ts';
import { disagree } from '../../../core/sample.ts';
import { countOf, formatCount } from '../../../core/size.ts';
import type { Finding } from '../parts.ts';

/** Differences that are named; further ones are counted. */
const named = 10;

/**
 * Equality of what was recorded in the backup's own snapshot with what the restored copy holds. `unfilled`: what the restore could
 * not fill, as another server than the restored one did not answer.
 */
export function checkExpectations(
  recorded: Expectations | undefined,
  actual: Expectations | undefined,
  facts: Readonly<Record<string, unknown>>,
  unfilled: readonly NotCompared[] = [],
): Finding {
  if (recorded === undefined || actual === undefined) {
    const whyAbsent = typeof facts.expectationsAbsent === 'string' ? facts.expectationsAbsent : 'take a new backup.';
    return {
      verdict: 'skip',
      looked: 0,
      expected: 'counts and checksums recorded by the backup',
      actual: 'none',
      message: `This restore point records nothing that a restore could be compared with: ${whyAbsent}`,
    };
  }
  if (recorded.algorithm !== actual.algorithm) {
    return {
      verdict: 'fail',
      looked: 0,
      expected: recorded.algorithm,
      actual: actual.algorithm,
      message: `Recorded with ${recorded.algorithm}, measured with ${actual.algorithm}: they cannot be compared.`,
    };
  }
  const notCompared = [...notComparedIn(facts), ...unfilled];
  const left = new Set(notCompared.map(({ table }) => table));
  const empty = new Set(unfilled.map(({ table }) => table));
  const differences = compare(
    recorded.tables.filter(({ table }) => !empty.has(table)),
    actual.tables.filter(({ table }) => !left.has(table) || recorded.tables.some((one) => one.table === table)),
  );
  const rows = total(recorded.tables);
  const looked = total(actual.tables);
  const expected = inWords(recorded.tables);
  if (differences.length > 0) {
    const more = differences.length > named ? ` And ${differences.length - named} more.` : '';
    const message = `${differences.slice(0, named).join(' ')}${more}`;
    return { verdict: 'fail', looked, expected, actual: inWords(actual.tables), message };
  }
  const counted = recorded.tables.filter((one) => one.checksum === undefined && !left.has(one.table)).length;
  const byCount = counted === 0 ? '' : `; ${counted} of them by count alone`;
  return {
    verdict: 'pass',
    looked,
    // Nothing was there, that was recorded, and nothing is there now.
    emptyIsRight: rows === 0,
    expected,
    actual: inWords(actual.tables),
    message: `As recorded: ${expected}${byCount}.${notComparedWords(notCompared)}`,
  };
}

/** ` Not compared: public.logs (excluded: only logs).` */
export function notComparedWords(tables: readonly NotCompared[]): string {
  if (tables.length === 0) return '';
  const more = tables.length > named ? `, and ${tables.length - named} more` : '';
  return ` Not compared: ${tables
    .slice(0, named)
    .map(({ table, reason }) => `${table} (${reason})`)
    .join(', ')}${more}.`;
}

function compare(recorded: readonly TableExpectation[], actual: readonly TableExpectation[]): string[] {
  const found = new Map(actual.map((table) => [table.table, table]));
  const differences: string[] = [];
  for (const want of recorded) {
    const have = found.get(want.table);
    found.delete(want.table);
    if (have === undefined) differences.push(`${want.table} is missing; it had ${rowsOf(want)}.`);
    else if (have.rows !== want.rows) {
      const change = have.rows < want.rows ? `${formatCount(want.rows - have.rows)} missing` : 'more than recorded';
      differences.push(`${want.table} has ${rowsOf(have)} instead of ${formatCount(want.rows)}: ${change}.`);
    } else if (want.checksum !== undefined && have.checksum !== want.checksum) {
      differences.push(`${want.table} has ${rowsOf(want)}, as many as recorded, and not what was in them.`);
    } else if (want.table !== 'files' && disagree(want.sample, have.sample)) {
      // A file's bytes are compared with those that the vault read, and the sample may have been taken a moment later.
      differences.push(`${want.table} has not the values that its sample was recorded with.`);
    }
  }
  for (const extra of found.values()) differences.push(`${extra.table} was not recorded; it has ${rowsOf(extra)}.`);
  return differences;
}

function total(tables: readonly TableExpectation[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

function rowsOf({ rows, table }: TableExpectation): string {
  return countOf(rows, table === 'files' ? 'file' : 'row');
}

function inWords(tables: readonly TableExpectation[]): string {
  const [only] = tables;
  if (tables.length === 1 && only?.table === 'files') return rowsOf(only);
  const data = tables.filter(({ table }) => isTable(table));
  const others = total(tables) - total(data);
  const text = `${countOf(total(data), 'row')} in ${countOf(data.length, 'table')}`;
  return others === 0 ? text : `${text}, and ${countOf(others, 'definition')}`;
}
