import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { disaster, secondCommand } from './bare-machine.ts';

const isRoot = process.getuid?.() === 0;

/** As init writes it where there is an `.env`, and more of the kind: files of the configuration that datasets hold too. */
function withSettings(folder: string): void {
  const file = join(folder, 'lifeboat.yaml');
  writeFileSync(join(folder, '.env'), 'SECRET=x\n');
  mkdirSync(join(folder, 'conf'));
  for (const name of ['key', 'other']) writeFileSync(join(folder, 'conf', name), name);
  // What bootstrap writes permits less, and as another user it belongs to nobody else.
  chmodSync(join(folder, 'conf/key'), 0o664);
  if (isRoot) chownSync(join(folder, 'conf/key'), 33, 33);
  const text = readFileSync(file, 'utf8')
    .replace(/^system: .*$/m, '$&\nenvFile: ./.env')
    .replace(/^ {2}# second: .*$/m, `  second: { type: local, path: ${folder}.second }`)
    .replace(/^datasets:$/m, '$&\n  settings: { type: files, path: ./.env }\n  conf: { type: files, path: ./conf }')
    .replace(
      /^drill:$/m,
      '$&\n  app: { start: "true", ready: "http://127.0.0.1:1/", env: { KEY: "$${file:./conf/key}" } }',
    );
  writeFileSync(file, text);
}

test('bootstrap-env-conflict, recover-from-copy-breaks-chain: two commands bring back what bootstrap brought along, and every destination has the whole ledger', async () => {
  const { run, vault, key, lost } = await disaster(withSettings);
  onTestFinished(() => rmSync(`${lost}.second`, { recursive: true, force: true }));
  const first = await run('bootstrap', vault, '--identity', key, '--trust');
  expect(first.code, first.stderr).toBe(0);
  const second = await run(...secondCommand(first.stdout));
  expect(second.code, second.stdout + second.stderr).toBe(0);
  expect(second.stdout).toContain('All of it is back: 4 datasets');
  expect(readFileSync(join(lost, '.env'), 'utf8')).toBe('SECRET=x\n');
  expect(readFileSync(join(lost, 'conf/other'), 'utf8')).toBe('other');
  const { mode, uid } = statSync(join(lost, 'conf/key'));
  expect(mode & 0o777).toBe(0o664);
  if (isRoot) expect(uid).toBe(33);

  // The copy that was addressed is unplugged.
  rmSync(vault, { recursive: true });
  const config = ['--config', join(lost, 'lifeboat.yaml')];
  const backup = await run('backup', '--refill', ...config);
  expect(backup.code, backup.stderr).toBe(0);
  for (const words of [['audit', 'verify'], ['verify', '--all'], ['prune']]) {
    const ran = await run(...words, ...config);
    expect(ran.code, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`).toBe(0);
  }
});

test('a place that holds anything else is refused as before', async () => {
  const { run, vault, key, lost } = await disaster(withSettings);
  onTestFinished(() => rmSync(`${lost}.second`, { recursive: true, force: true }));
  const first = await run('bootstrap', vault, '--identity', key, '--trust');
  writeFileSync(join(lost, 'conf/mine'), 'not in any backup');
  const second = await run(...secondCommand(first.stdout));
  expect(second.code).toBe(2);
  expect(second.stdout).toMatch(/conf.*is not empty[\s\S]*\[recovery-target-taken\]/);
  expect(readFileSync(join(lost, 'conf/mine'), 'utf8')).toBe('not in any backup');
});

test('envfile-lost: recover brings what the configuration refers to back first, and restore says where it is', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  withSettings(folder);
  onTestFinished(() => rmSync(`${folder}.second`, { recursive: true, force: true }));
  expect((await lifeboat(folder, ['backup'])).code).toBe(0);
  rmSync(join(folder, '.env'));
  const daily = ['--identity', 'lifeboat-keys/daily.txt'];
  const recovered = await lifeboat(folder, ['recover', 'conf', ...daily]);
  expect(recovered.code, recovered.stdout + recovered.stderr).toBe(0);
  expect(recovered.stderr).toContain(`${folder}/.env was gone. It is back as of`);
  expect(readFileSync(join(folder, '.env'), 'utf8')).toBe('SECRET=x\n');
});

test('a state folder that was set back to an older one of its own forks no ledger', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  const [state, older] = [join(folder, 'state'), join(folder, 'older')];
  const backUp = async () => {
    const ran = await lifeboat(folder, ['backup', 'uploads']);
    expect(ran.code, ran.stderr).toBe(0);
    return ran.stderr;
  };
  await backUp();
  cpSync(state, older, { recursive: true });
  await backUp();
  await backUp();
  rmSync(state, { recursive: true });
  cpSync(older, state, { recursive: true });
  expect(await backUp()).toContain('state is older than what it stored last');
  expect(await backUp()).not.toContain('state is older than what it stored last');
  for (const words of [
    ['audit', 'verify'],
    ['verify', '--all'],
  ]) {
    const ran = await lifeboat(folder, words);
    expect(ran.code, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`).toBe(0);
    expect(ran.stdout).not.toContain('doubtful');
  }
});
