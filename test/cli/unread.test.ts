import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bin, lifeboat, project } from './lifeboat.ts';

async function ready(): Promise<string> {
  const folder = await project();
  await lifeboat(folder, ['init']);
  return folder;
}

/** Standard error leads to a reader that is gone before the first line. */
async function unread(folder: string, words: readonly string[]): Promise<number | null> {
  const env = { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') };
  const child = spawn(bin, words, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.destroy();
  return (await once(child, 'exit'))[0] as number | null;
}

test('files-04: work goes on and ends as always when nobody reads its progress', async () => {
  const folder = await ready();
  expect(await unread(folder, ['backup'])).toBe(0);
  const { stdout } = await lifeboat(folder, ['list', '--json']);
  const { datasets } = JSON.parse(stdout) as { datasets: { restorePoints: unknown[] }[] };
  expect(datasets.map(({ restorePoints }) => restorePoints.length)).not.toContain(0);
  expect(await unread(folder, ['restore', 'uploads', '--into', 'out', '--identity', 'lifeboat-keys/daily.txt'])).toBe(
    0,
  );
  expect(await unread(folder, ['restore', 'nothing-of-this-name'])).toBe(64);
});

test('an answer that could not be written is a failure that is named, of whatever was asked', async () => {
  const folder = await ready();
  const full = openSync('/dev/full', 'w');
  try {
    for (const words of [['backup', '--json'], ['status'], ['list']]) {
      const env = { ...process.env, LIFEBOAT_STATE_DIR: join(folder, 'state') };
      const child = spawn(bin, words, { cwd: folder, env, stdio: ['ignore', full, 'pipe'] });
      const said: Buffer[] = [];
      child.stderr?.on('data', (piece: Buffer) => said.push(piece));
      const [code] = await once(child, 'close');
      expect(code, words.join(' ')).toBe(2);
      expect(Buffer.concat(said).toString(), words.join(' ')).toContain('[answer-unwritten]');
    }
  } finally {
    closeSync(full);
  }
});
