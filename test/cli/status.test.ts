import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project } from './lifeboat.ts';

const identity = ['--identity', 'lifeboat-keys/daily.txt'];

test('status-after-failed-drill: status opens with what the newest drill found, until that was drilled again', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const file = join(folder, 'lifeboat.yaml');
  const check =
    '  checks: { files open: { type: references, from: { dataset: app-db, query: "select name from users" }, in: uploads } }\n';
  writeFileSync(join(folder, 'data/uploads/Ada'), 'her letter');
  appendFileSync(file, readFileSync(file, 'utf8').endsWith('\n') ? '' : '\n');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^drill:\n/m, `drill:\n${check}`));
  await lifeboat(folder, ['backup', '--quiet']);
  const good = await lifeboat(folder, ['drill', ...identity, '--json']);
  expect(good.code, good.stdout + good.stderr).toBe(0);
  expect((await lifeboat(folder, ['status'])).stdout).toMatch(/^If .* and be back in about .*\nProved /);

  rmSync(join(folder, 'data/uploads/Ada'));
  await lifeboat(folder, ['backup', '--quiet']);
  expect((await lifeboat(folder, ['drill', ...identity, '--quiet'])).code).toBe(1);
  const status = await lifeboat(folder, ['status']);
  expect(status.code).toBe(1);
  const lines = status.stdout.split('\n');
  expect(lines[0]).toMatch(/^If .*, and it would not come back as it should: a drill failed\.$/);
  expect(lines[1]).toMatch(/^Failed .* was not drilled again since\.$/);
  expect(lines[2]).toMatch(/^Last proved /);
  expect(lines.slice(3, 6).join('\n')).toContain('failed: files open.');
  // The command that the line names says what failed.
  const drill = /evidence show (\S+) --identity/.exec(status.stdout)?.[1] ?? '';
  const shown = await lifeboat(folder, ['evidence', 'show', drill, ...identity]);
  expect(shown.stdout, shown.stderr).toMatch(/fail {2}files open: .*Ada is missing/);
});

test('a warning that is right as it is, is accepted with a reason: it is told no more, and what is bad still is', async () => {
  const folder = await project();
  symlinkSync('/srv/themes/plain', join(folder, 'data/uploads/theme'));
  await lifeboat(folder, ['init']);
  const link = /theme leads to .*, which no dataset holds/;
  const told = await lifeboat(folder, ['backup']);
  expect(told.stdout).toMatch(link);
  expect((await lifeboat(folder, ['backup', '--quiet'])).stdout).toMatch(link);
  const file = join(folder, 'lifeboat.yaml');
  const accepted = `accepted: { uploads/link-leads-out: from its package, one-destination: the second disk comes in March, never-proved: no }\n`;
  writeFileSync(file, `${readFileSync(file, 'utf8').trimEnd()}\n${accepted}`);
  const quiet = await lifeboat(folder, ['backup']);
  expect(quiet.code, quiet.stdout + quiet.stderr).toBe(0);
  expect(quiet.stdout).not.toMatch(link);
  expect((await lifeboat(folder, ['backup', '--quiet'])).stdout).toBe('');
  const status = await lifeboat(folder, ['status']);
  expect(status.stdout).not.toMatch(/\(link-leads-out\)\.|There is one destination/);
  expect(status.stdout).toContain('Accepted: uploads/link-leads-out (from its package).');
  expect(status.stdout).toContain('✗ No drill has proved these backups yet.');
  expect(status.code).toBe(1);
});
