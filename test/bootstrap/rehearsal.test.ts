import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';

test('recover --into brings all of it back beside the living system, compares it there, and touches nothing', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  expect((await lifeboat(folder, ['backup', '--quiet'])).code).toBe(0);
  // The living system went on, and lost what only a true recovery brings back.
  const live = join(folder, 'data/uploads/a.txt');
  fs.writeFileSync(live, 'newer');
  fs.rmSync(join(folder, 'data/app.db'));
  const recover = (...more: string[]) =>
    lifeboat(folder, ['recover', '--identity', 'lifeboat-keys/daily.txt', '--json', ...more]);

  const half = await recover('--into', 'uploads=try/uploads');
  expect(half).toMatchObject({ code: 64, stdout: expect.stringContaining('it is not said where to for app-db') });
  expect(await recover('--into', 'nothing=x')).toMatchObject({ code: 64 });
  const nowhere = await recover('--into-file', 'nowhere.yaml');
  expect(nowhere.stdout).toContain('nowhere.yaml cannot be read: it is not there.');
  expect(fs.existsSync(join(folder, 'try'))).toBe(false);

  const places = join(folder, 'try.yaml');
  fs.writeFileSync(places, 'app-db: ./try/app.db\nuploads: ./else\n');
  const tried = await recover('--into-file', 'try.yaml', '--into', 'uploads=try/uploads');
  expect(tried.code, tried.stdout + tried.stderr).toBe(0);
  const { datasets, rehearsal } = JSON.parse(tried.stdout);
  expect(rehearsal).toBe(true);
  expect(datasets.map(({ compared }: { compared: { verdict: string } }) => compared.verdict)).toEqual([
    'as recorded',
    'as recorded',
  ]);
  expect(fs.readFileSync(join(folder, 'try/uploads/a.txt'), 'utf8')).toBe('hello');
  const copy = new DatabaseSync(join(folder, 'try/app.db'), { readOnly: true });
  expect(copy.prepare('SELECT name FROM users').all()).toEqual([{ name: 'Ada' }]);
  copy.close();
  expect(fs.readFileSync(live, 'utf8')).toBe('newer');
  expect(fs.existsSync(join(folder, 'data/app.db'))).toBe(false);

  // What lies there is somebody's, and a rehearsal counts for nothing on the bad day.
  expect((await recover('--into-file', 'try.yaml', '--into', 'uploads=try/uploads')).code).toBe(2);
  const real = await recover('app-db');
  expect(real.code, real.stdout + real.stderr).toBe(0);
  expect(JSON.parse(real.stdout).datasets[0].state).toBe('back');
});
