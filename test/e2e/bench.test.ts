import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { medianRatio } from '../../bench/report.ts';
import { changeTree, makeTree, treeStats } from '../../bench/trees.ts';
import { temporaryFolder } from '../support/temp.ts';

const run = promisify(execFile);
const bench = join(import.meta.dirname, '../../bench/main.ts');

test('the bench measures every phase of files, of PostgreSQL and of MariaDB, and writes it down', async () => {
  const work = await temporaryFolder({ open: true });
  const flags = [
    '--tools',
    'lifeboat,pipe',
    '--only',
    'small,postgres,mariadb',
    '--size',
    '2MiB',
    '--runs',
    '1',
    '--work',
    work,
  ];
  const { stdout } = await run(process.execPath, [bench, ...flags]);
  const file = /Written to (.*)/.exec(stdout)![1]!;
  onTestFinished(() => rm(file));

  const { comparisons } = JSON.parse(await readFile(file, 'utf8'));
  expect(comparisons.map((one: { subject: { id: string } }) => one.subject.id)).toEqual([
    'small',
    'postgres',
    'mariadb',
  ]);
  for (const { rows } of comparisons) {
    expect(rows.map((row: { what: string }) => row.what)).toEqual([
      ...['first backup', 'unchanged backup', 'after 1 % change', 'restore', 'full verification'],
      ...['CPU, first backup', 'CPU, restore', 'stored, first', 'stored, after change'],
      ...['peak memory, first backup', 'peak memory, restore'],
    ]);
    // Processor time and memory of so small a subject can be too short to be seen.
    const timed = rows.filter((row: { what: string }) => !/^(CPU|peak memory)/.test(row.what));
    for (const { cells } of timed) expect(cells[1].ratio).toBeGreaterThan(0);
  }
});

test('a ratio is the median of the ratios within each run, not the ratio of medians', () => {
  expect(medianRatio([1, 10, 3], [2, 20, 4])).toBe(0.5);
});

test('a generated tree is of the size asked for, and 1 % of its files change', async () => {
  const tree = join(await temporaryFolder(), 'tree');
  makeTree('small', tree, 8 << 20);
  const before = await treeStats(tree);
  expect(before.bytes).toBeGreaterThan(4 << 20);
  await run('cp', ['-a', tree, `${tree}.before`]);
  await changeTree(tree, 3);
  expect(await treeStats(tree)).toEqual(before);
  const differing = await run('diff', ['-rq', tree, `${tree}.before`]).catch(({ stdout }: { stdout: string }) => ({
    stdout,
  }));
  expect(differing.stdout.trim().split('\n').length).toBe(Math.ceil((before.files - 3) / 100));
});
