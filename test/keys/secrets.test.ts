import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project, sealTo } from '../cli/lifeboat.ts';

// No private key, passphrase or share leaves the process but to the file that was asked for.

const PASSPHRASE = 'open the pod bay doors';

/** Programs that lifeboat may start, each behind a script that notes its words and its environment. */
function spies(folder: string): { path: string; log: string } {
  const [path, log] = [join(folder, 'spies'), join(folder, 'spied')];
  mkdirSync(path);
  writeFileSync(log, '');
  const programs = ['setpriv', 'unshare', 'nsenter', 'setsid', 'sh', 'bash', 'mount', 'umount', 'ip', 'age', 'cat'];
  for (const program of programs) {
    const real = execFileSync('sh', ['-c', `command -v ${program} || true`], { encoding: 'utf8' }).trim();
    if (real === '') continue;
    const note = `{ printf '%s\\n' "$0" "$@"; env; } >> '${log}'`;
    writeFileSync(join(path, program), `#!/bin/dash\n${note}\nexec ${real} "$@"\n`);
    chmodSync(join(path, program), 0o755);
  }
  return { path, log };
}

function filesIn(folder: string, pattern: string): string[] {
  return globSync(pattern, { cwd: folder })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile());
}

test('not in arguments or environments of children, output, errors, state, ledger or evidence', async () => {
  const folder = await project();
  const { path, log } = spies(folder);
  const env = { PATH: `${path}:${process.env.PATH}`, LIFEBOAT_PASSPHRASE: PASSPHRASE, LIFEBOAT_DEBUG: '1' };
  const heard: string[] = [];
  const run = async (...words: string[]) => {
    const ran = await lifeboat(folder, words, env);
    heard.push(ran.stdout, ran.stderr);
    return ran;
  };

  const made = await run('keys', 'new', 'daily.txt');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', PASSPHRASE, '-f', join(folder, 'id')]);
  sealTo(folder, /age1\w+$/m.exec(made.stdout)![0], readFileSync(join(folder, 'id.pub'), 'utf8').trim());
  const escrow = JSON.parse((await run('keys', 'escrow', '--into', 'sheets', '--json')).stdout);
  await run('keys', 'rotate', '--add', escrow.recipient);
  await run('backup', '--json-events');
  const sheets = [1, 2, 3].map((number) => `sheets/share-${number}-of-5.txt`);
  const shares = sheets.flatMap((sheet) => ['--shares', sheet]);
  const drill = await run('drill', ...shares, '--json-events');
  expect(drill.code, drill.stdout).toBe(0);
  expect((await run('keys', 'check', ...shares, '--identity', 'id')).code).toBe(0);
  expect((await run('restore', 'uploads', '--into', 'one', '--identity', 'id')).code).toBe(0);
  expect((await run('restore', 'uploads', '--into', 'two', '--identity', 'command:cat daily.txt')).code).toBe(0);
  await run('keys', 'combine', '--into', 'whole.txt', ...sheets);
  await run('keys', 'split', '--identity', 'daily.txt', '--into', 'more');
  await run('evidence', 'show', '--identity', 'daily.txt', '--json');
  await run('status', '--json');
  // Failures say what is wrong, not what it is.
  await run('keys', 'check', '--identity', `command:cat daily.txt; cat daily.txt >&2; exit 1`);
  writeFileSync(join(folder, 'broken.txt'), readFileSync(join(folder, 'daily.txt'), 'utf8').replace(/.\n$/, '\n'));
  await run('keys', 'check', '--identity', 'broken.txt');
  await run('keys', 'combine', '--into', 'no.txt', sheets[0]!, 'more/share-1-of-5.txt');
  writeFileSync(
    join(folder, 'torn.txt'),
    readFileSync(join(folder, sheets[0]!), 'utf8').replace(/^ {2}2: ..../m, '  2: 0000'),
  );
  await run('keys', 'combine', '--into', 'no.txt', 'torn.txt');

  const secretIn = (file: string) => /AGE-SECRET-KEY-1(\w+)/.exec(readFileSync(join(folder, file), 'utf8'))![1]!;
  const linesOf = (file: string) => readFileSync(file, 'utf8').matchAll(/^ {2}\d: (.*)$/gm);
  const shareLines = filesIn(folder, '{sheets,more}/*.txt').flatMap((file) =>
    [...linesOf(file)].map(([, line]) => line!),
  );
  // Not the first line, which has the version, the set and the numbers, as do errors.
  const secrets = [
    PASSPHRASE,
    ...['daily.txt', 'whole.txt'].map((file) => secretIn(file).slice(8, 40)),
    ...shareLines.flatMap((line) => [line, line.replaceAll(' ', '')]),
    readFileSync(join(folder, 'id'), 'utf8').split('\n')[3]!,
  ];
  expect(secrets.length).toBeGreaterThan(100);

  const spied = readFileSync(log, 'utf8');
  expect(spied, 'the spies saw children').toContain('cat daily.txt');
  const places = new Map([
    ['children', spied],
    ['output', heard.join('\n')],
    ...filesIn(folder, '{state,backups}/**').map((file) => [file, readFileSync(file, 'latin1')] as const),
  ]);
  expect(places.size).toBeGreaterThan(10);
  const leaks = [...places].filter(([, text]) => secrets.some((secret) => text.includes(secret)));
  expect(leaks.map(([place]) => place)).toEqual([]);
});

test('files/18: a key that is given where a file belongs is printed by no error, and rights are advised for keys only', async () => {
  const folder = await project();
  const made = await lifeboat(folder, ['keys', 'new', 'daily.txt']);
  const recipient = /age1\w+$/m.exec(made.stdout)![0];
  sealTo(folder, recipient);
  const key = /AGE-SECRET-KEY-1\w+/.exec(readFileSync(join(folder, 'daily.txt'), 'utf8'))![0];
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'id')]);
  const pem = readFileSync(join(folder, 'id'), 'utf8').trim();
  const secretOf = (text: string) => (text.includes('PRIVATE') ? pem.split('\n')[2]! : key.slice(16));
  for (const given of [key, ` ${key}`, key.toLowerCase(), pem]) {
    const words = ['restore', 'uploads', '--into', 'out'];
    const asked: Array<readonly [string[], Record<string, string>]> = [
      [[...words, '--identity', given], {}],
      [[...words, '--json'], { LIFEBOAT_IDENTITY: given }],
      [['keys', 'check', given], {}],
      [['drill', '--shares', given], {}],
      [['keys', 'new', given], {}],
    ];
    for (const [command, env] of asked) {
      const { code, stdout, stderr } = await lifeboat(folder, command, env);
      expect([command[0], code], stdout + stderr).toEqual([command[0], 64]);
      expect((stdout + stderr).toLowerCase()).not.toContain(secretOf(given).toLowerCase());
    }
  }
  sealTo(folder, recipient, key);
  const config = await lifeboat(folder, ['backup']);
  expect(config.code).not.toBe(0);
  expect(config.stdout + config.stderr).not.toContain(key.slice(16));

  sealTo(folder, recipient);
  chmodSync(join(folder, 'id.pub'), 0o644);
  for (const [file, why] of [
    ['id.pub', 'it is the public half of a key'],
    ['data', 'it is a folder'],
    ['lifeboat.yaml', 'Line 1'],
  ] as const) {
    const { stderr } = await lifeboat(folder, ['restore', 'uploads', '--into', 'out', '--identity', file]);
    expect(stderr).toContain(why);
    expect(stderr).not.toContain('chmod');
  }
});
