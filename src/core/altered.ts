import type { Holds } from './expectations.ts';
import { type Cell, cellAt, keyOf, type TableSample } from './sample.ts';

/** What became of most rows of a table, or most files, though as many are there. */
export interface Altered {
  /** `noise`: what said something before looks like noise. `rewritten`: other values. `replaced`: other rows. */
  readonly how: 'noise' | 'rewritten' | 'replaced';
  /** Of which columns. */
  readonly columns: readonly string[];
}

/** Of fewer rows that can be compared, nothing is said. */
export const fewestCompared = 20;

/**
 * Holds a table's sample against an earlier one. Undefined where most rows are as they were in most of what they hold: a column more or
 * less, or under another name, changes nothing of the others.
 */
export function alteredOf(was: TableSample, now: TableSample, holds: Holds): Altered | undefined {
  const { until } = now;
  const rows = new Map(now.rows.map((row) => [keyOf(row), row]));
  const before = was.rows.filter((row) => until === undefined || keyOf(row) <= until);
  if (before.length < fewestCompared) return undefined;
  const pairs = before.flatMap((row): Pair[] => {
    const found = rows.get(keyOf(row));
    return found === undefined ? [] : [[row, found]];
  });
  if (pairs.length * 2 < before.length) return replacedOf(was, now);
  if (pairs.length < fewestCompared) return undefined;

  const isFiles = holds === 'files';
  const columns = columnsOf(was, now, pairs).map((column) => ({ ...column, ...changesOf(column, pairs, isFiles) }));
  const noisy = columns.filter(({ toNoise }) => toNoise * 2 > pairs.length);
  if (noisy.length > 0) return { how: 'noise', columns: noisy.map(({ name }) => name) };
  const weight = columns.reduce((sum, one) => sum + one.weight, 0);
  const changed = columns.reduce((sum, one) => sum + one.changedWeight, 0);
  if (changed * 2 <= weight) return undefined;
  return { how: 'rewritten', columns: columns.filter((one) => one.changed * 2 > pairs.length).map(({ name }) => name) };
}

type Pair = readonly [was: string, now: string];

interface Column {
  readonly name: string;
  readonly was: number;
  readonly now: number;
}

/** Those that are there before and after. Of one whose name is gone, the one that has its values. */
function columnsOf(was: TableSample, now: TableSample, pairs: readonly Pair[]): Column[] {
  const fresh = now.columns.flatMap((name, at) => (was.columns.includes(name) ? [] : [at]));
  return was.columns.flatMap((name, at): Column[] => {
    if (was.key.includes(name)) return [];
    const same = now.columns.indexOf(name);
    if (same >= 0) return [{ name, was: at, now: same }];
    const has = (column: number) =>
      pairs.filter(([a, b]) => isSame(cellAt(a, at), cellAt(b, column))).length * 2 > pairs.length;
    const renamed = fresh.find(has);
    return renamed === undefined ? [] : [{ name, was: at, now: renamed }];
  });
}

function changesOf({ was, now, name }: Column, pairs: readonly Pair[], isFiles: boolean) {
  let [changed, toNoise, weight, changedWeight] = [0, 0, 0, 0];
  // Of files the size only helps to judge the content.
  if (isFiles && name === 'size') return { changed, toNoise, weight, changedWeight };
  for (const pair of pairs) {
    const [a, b] = [cellAt(pair[0], was), cellAt(pair[1], now)];
    if (a.look === '-') continue;
    const counts = isFiles ? 1 : weightOf(a);
    weight += counts;
    if (isSame(a, b)) continue;
    const isNoise = isNoisy(b) && !isNoisy(a);
    if (isNoise) toNoise++;
    // A file that grew, shrank or was made anew in its own format: people and programs do that.
    if (isFiles && !isNoise && !isSame(cellAt(pair[0], 0), cellAt(pair[1], 0))) continue;
    changed++;
    changedWeight += counts;
  }
  return { changed, toNoise, weight, changedWeight };
}

/** A long text counts more than a flag, and what programs write anew by themselves (numbers, times, tokens) less. */
function weightOf({ look, length }: Cell): number {
  if (look === 'd') return 1;
  return 2 ** Math.min(length, look === 'z' ? 4 : 8);
}

/** Most rows are gone, and as many others there. */
function replacedOf(was: TableSample, now: TableSample): Altered {
  const noisy = was.columns.filter((name, at) => {
    const here = now.columns.indexOf(name);
    return here >= 0 && shareOfNoise(now, here) > 0.5 && shareOfNoise(was, at) < 0.25;
  });
  return noisy.length > 0 ? { how: 'noise', columns: noisy } : { how: 'replaced', columns: [] };
}

function shareOfNoise({ rows }: TableSample, column: number): number {
  return rows.filter((row) => isNoisy(cellAt(row, column))).length / Math.max(1, rows.length);
}

function isSame(a: Cell, b: Cell): boolean {
  return a.hash === b.hash && a.look === b.look && a.length === b.length;
}

function isNoisy({ look }: Cell): boolean {
  return look === 'z' || look === 'x';
}
