import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeTree } from '../support/tree.ts';
import { lifeboat, project } from './lifeboat.ts';

test('a dataset of several places: backed up, drilled at its production paths, lost, recovered, and restored by rescue.sh', async () => {
  const folder = await project();
  const at = (path: string) => join(folder, path);
  const places = [at('etc/app'), at('etc/cron.d/app')];
  for (const path of ['etc/app', 'etc/cron.d']) fs.mkdirSync(at(path), { recursive: true });
  fs.writeFileSync(at('etc/app/app.conf'), 'as backed up', { mode: 0o640 });
  fs.writeFileSync(at('etc/cron.d/app'), '* * * * * true');
  fs.writeFileSync(at('etc/others'), 'not ours');
  await lifeboat(folder, ['init']);
  const file = at('lifeboat.yaml');
  const server = `require('http').createServer((_, answer) => {
    const right = require('fs').readFileSync('${at('etc/app/app.conf')}', 'utf8') === 'as backed up';
    answer.writeHead(right ? 200 : 500).end(); }).listen(process.env.PORT, '127.0.0.1')`;
  fs.writeFileSync(at('server.cjs'), server);
  const text = fs
    .readFileSync(file, 'utf8')
    .replace('\ndatasets:\n', `\ndatasets:\n  host: { type: files, path: [${places.join(', ')}] }\n`)
    .replace(
      '\ndrill:\n',
      `\ndrill:\n  app: { start: exec ${process.execPath} server.cjs, ready: "http://127.0.0.1:\${PORT}/" }\n`,
    );
  fs.writeFileSync(file, text);
  const run = async (...words: string[]) => {
    const { code, stdout, stderr } = await lifeboat(folder, words);
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const trees = () => places.flatMap((path) => describeTree(path));
  const before = trees();
  await run('backup', '--quiet');
  const identity = ['--identity', 'lifeboat-keys/daily.txt'];
  fs.writeFileSync(at('etc/app/app.conf'), 'changed since');
  await run('drill', ...identity);

  fs.rmSync(at('etc/app'), { recursive: true });
  fs.rmSync(at('etc/cron.d'), { recursive: true });
  const told = JSON.parse(await run('recover', 'host', '--json', ...identity));
  expect(told.datasets[0]).toMatchObject({ state: 'back', compared: { verdict: 'as recorded' }, files: 2 });
  expect(trees()).toEqual(before);
  expect(fs.readFileSync(at('etc/others'), 'utf8')).toBe('not ours');

  fs.rmSync(at('etc/app/app.conf'));
  await run('restore', 'host', at('etc/app/app.conf'), ...identity);
  expect(trees().slice(1)).toEqual(before.slice(1));
  const tried = JSON.parse(await run('recover', 'host', '--into', 'host=./tried', '--json', ...identity));
  expect(tried.datasets[0]).toMatchObject({ state: 'back', compared: { verdict: 'as recorded' } });
  await run('restore', 'host', '--into', './else', ...identity);
  expect(places.flatMap((path) => describeTree(join(at('else'), path)))).toEqual(before);
  const words = ['restore', at('backups'), at('lifeboat-keys/daily.txt'), 'host', at('rescued')];
  execFileSync('bash', [at('backups/rescue.sh'), ...words], { stdio: 'ignore' });
  expect(places.flatMap((path) => describeTree(join(at('rescued'), path)))).toEqual(before);
});
