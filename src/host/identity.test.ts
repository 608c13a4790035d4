import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, livingProcess, ourIdentity, ourTag } from './identity.ts';

test('a process is itself', () => {
  expect(isAlive(ourIdentity())).toBe(true);
  expect(livingProcess(ourTag())).toBe(process.pid);
});

test('house-5: a later process with the same number is another one', () => {
  const { pid, start } = ourIdentity();
  expect(isAlive({ pid, start: `1${start}` })).toBe(false);
  // As many ticks after another start of the machine.
  expect(isAlive({ pid, start: start.replace(/b.*/, 'b00000000') })).toBe(false);
  expect(livingProcess(`${pid}-1`)).toBeUndefined();
});

test('where a start is hidden, a living process is taken for the one that is meant', () => {
  expect(isAlive({ pid: process.pid, start: 'unknown' })).toBe(true);
});

test('one that ended is gone, also before anybody asked how', async () => {
  // Its parent never waits: it stays in the table of processes.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    await expect.poll(() => isAlive({ pid, start: 'unknown' }), { timeout: 60_000 }).toBe(false);
  } finally {
    parent.stdin.end();
    await once(parent, 'exit');
  }
});

test.each(['', '1', '0-1', '-1', '-5-1b2', '12-1b2-3', '1e9-1', ' 1-1', '1-A'])('%j names no process', (tag) => {
  expect(livingProcess(tag)).toBeUndefined();
});
