import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

const demo = join(import.meta.dirname, '../../examples/demo.ts');

test('an interrupted demo stops what it started and leaves nothing behind', async () => {
  const folder = await temporaryFolder({ open: true });
  const child = spawn(process.execPath, [demo, '--invoices', '60'], { env: environment(folder) });
  let told = '';
  child.stdout.on('data', (text: Buffer) => {
    told += text;
  });
  const ended = once(child, 'exit');
  await until(() => told.includes('$ lifeboat backup'), 60_000);
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(130);
  expect(await leftIn(folder)).toEqual([]);
  expect(told).not.toContain('The disaster');
});

interface Ended {
  readonly code: number;
  readonly told: string;
  readonly complained: string;
  /** What it left in its temporary folder. */
  readonly left: string[];
}

for (const [database, flags] of [
  ['SQLite', []],
  ['PostgreSQL', ['--postgres']],
] as const) {
  test(`the demo backs up, destroys, brings back and proves Harbor on ${database}, and leaves nothing behind`, async () => {
    const ended = await runDemo(['--invoices', '60', ...flags]);
    expect(ended.complained).not.toContain('✗');
    expect(ended.code, ended.told + ended.complained).toBe(0);
    expect(ended.told).toContain('Harbor no longer starts.');
    expect(ended.told).toContain('invoice 1 reads as before');
    expect(ended.told).toContain('byte for byte');
    expect(ended.told).toMatch(/the first \d+ are back, each whole/);
    expect(ended.told).toMatch(/Backed up, destroyed, brought back and proved in \d+\.\d s\.\n$/);
    expect(ended.left).toEqual([]);
  });
}

test('a demo that cannot be told ends with 1 and says why', async () => {
  const ended = await runDemo(['--invoices', 'many']);
  expect(ended.code).toBe(1);
  expect(ended.complained).toContain('✗ The demo failed: --invoices takes a number');
  expect(ended.left).toEqual([]);
});

async function runDemo(flags: readonly string[]): Promise<Ended> {
  const folder = await temporaryFolder({ open: true });
  const env = environment(folder);
  const ended = await promisify(execFile)(process.execPath, [demo, ...flags], { env, timeout: 600_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, told: stdout, complained: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      told: error.stdout,
      complained: error.stderr,
    }),
  );
  return { ...ended, left: await leftIn(folder) };
}

function environment(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, XDG_CACHE_HOME: process.env.XDG_CACHE_HOME };
}

async function leftIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('lifeboat'));
}
