import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { atTerminal } from '../support/terminal.ts';

// The life of keys with the real commands: SSH keys, keys behind a passphrase or a command, shares, rotation, escrow.

async function aSystem(recipients: readonly string[] = []): Promise<string> {
  const folder = await project();
  const lines: string[] = [];
  for (const name of ['daily', 'offline']) {
    const { stdout } = await lifeboat(folder, ['keys', 'new', `${name}.txt`]);
    lines.push(`    - ${/age1\w+$/m.exec(stdout)![0]} # ${name}`);
  }
  const more = recipients.map((recipient) => `    - ${recipient}`);
  writeFileSync(
    join(folder, 'lifeboat.yaml'),
    `version: 1
system: harbor
vault:
  # Who can read:
  recipients:
${[...lines, ...more].join('\n')}
destinations:
  local: { type: local, path: ./backups }
  nas: { type: local, path: ./nas }
datasets:
  uploads: { type: files, path: ./data/uploads }
`,
  );
  return folder;
}

const escrowed = async (folder: string) => {
  const options = ['--shares', '4', '--threshold', '2', '--holder', 'Ada'];
  const { stdout, code } = await lifeboat(folder, ['keys', 'escrow', '--into', 'sheets', '--json', ...options]);
  expect(code, stdout).toBe(0);
  return JSON.parse(stdout) as { recipient: string; sheets: string[] };
};

test('an SSH key, a key behind a passphrase and a key from a command each restore, and none of them shows', async () => {
  const folder = await project();
  const secret = 'a passphrase nobody sees';
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', secret, '-f', join(folder, 'id')]);
  execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', join(folder, 'rsa')]);
  const publics = ['id', 'rsa'].map((name) => readFileSync(join(folder, `${name}.pub`), 'utf8').trim());
  const other = await aSystem(publics);
  for (const name of ['id', 'rsa']) writeFileSync(join(other, name), readFileSync(join(folder, name)), { mode: 0o600 });
  expect((await lifeboat(other, ['backup', '--json'])).code).toBe(0);

  writeFileSync(join(other, 'pass'), `${secret}\n`);
  const daily = readFileSync(join(other, 'daily.txt'), 'utf8').split('\n')[3]!;
  const age = `age -p -o ${join(other, 'key.age')} ${join(other, 'daily.txt')}`;
  execFileSync('script', ['-qec', age, '/dev/null'], { input: `${secret}\n${secret}\n`, stdio: 'pipe' });
  const ways: [string, Record<string, string>][] = [
    ['id', { LIFEBOAT_PASSPHRASE: secret }],
    ['id', { LIFEBOAT_PASSPHRASE_FILE: 'pass' }],
    ['rsa', {}],
    ['key.age', { LIFEBOAT_PASSPHRASE: secret }],
    ['command:cat rsa', {}],
    ['command:test -z "$LIFEBOAT_PASSPHRASE" && cat daily.txt', { LIFEBOAT_PASSPHRASE: secret }],
  ];
  for (const [index, [identity, env]] of ways.entries()) {
    const given = index % 2 === 0 ? { ...env, LIFEBOAT_IDENTITY: identity } : env;
    const flag = index % 2 === 0 ? [] : ['--identity', identity];
    const back = await lifeboat(other, ['restore', 'uploads', '--into', `back-${index}`, ...flag], given);
    expect(back.code, identity + back.stderr).toBe(0);
    expect(readFileSync(join(other, `back-${index}/a.txt`), 'utf8')).toBe('hello');
    for (const hidden of [secret, daily]) expect(back.stdout + back.stderr).not.toContain(hidden);
  }

  const cases: [string, Record<string, string>, string][] = [
    ['id', {}, 'passphrase-needed'],
    ['id', { LIFEBOAT_PASSPHRASE: 'wrong' }, 'passphrase-wrong'],
    ['key.age', { LIFEBOAT_PASSPHRASE: 'wrong' }, 'passphrase-wrong'],
    [`command:cat daily.txt; cat daily.txt >&2; exit 3`, {}, 'identity-unreadable'],
    ['id.pub', {}, 'identity-missing'],
    ['lifeboat.yaml', {}, 'identity-unreadable'],
  ];
  for (const [identity, env, code] of cases) {
    const failed = await lifeboat(other, ['restore', 'uploads', '--into', 'no', '--identity', identity, '--json'], env);
    expect(JSON.parse(failed.stdout), identity).toMatchObject({ error: { code } });
    expect(failed.stdout + failed.stderr).not.toContain(daily);
  }
});

test('rescue.sh restores with an SSH key and no code of ours', async () => {
  const folder = await project();
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'id')]);
  const system = await aSystem([readFileSync(join(folder, 'id.pub'), 'utf8').trim()]);
  expect((await lifeboat(system, ['backup', '--quiet'])).code).toBe(0);
  const rescue = new URL('../../rescue/rescue.sh', import.meta.url).pathname;
  const words = [rescue, 'restore', join(system, 'backups'), join(folder, 'id'), 'uploads', join(system, 'rescued')];
  execFileSync('bash', words, { stdio: 'pipe' });
  expect(readFileSync(join(system, 'rescued/a.txt'), 'utf8')).toBe('hello');
});

test('escrow: a key that exists only as shares is added, proved by a drill of its own, and seen in the status', async () => {
  const folder = await aSystem();
  await lifeboat(folder, ['backup', '--quiet']);
  const { recipient, sheets } = await escrowed(folder);
  expect(sheets).toHaveLength(4);
  for (const sheet of globSync('sheets/*', { cwd: folder })) expect(statSync(join(folder, sheet)).mode & 0o77).toBe(0);
  expect(readFileSync(join(folder, sheets[0]!), 'utf8')).toContain('Kept by: Ada');
  const everything = globSync('**/*', { cwd: folder, withFileTypes: true }).filter((one) => one.isFile());
  const whole = everything.filter((file) => {
    const text = readFileSync(join(file.parentPath, file.name), 'latin1');
    return text.includes('AGE-SECRET-KEY-1') && !/^(daily|offline)\.txt$|^writer.json$/.test(file.name);
  });
  expect(whole.map(({ name }) => name)).toEqual([]);

  const rotated = await lifeboat(folder, ['keys', 'rotate', '--add', recipient, '--comment', 'escrow, 2 of 4']);
  expect(rotated).toMatchObject({ code: 0, stdout: expect.stringContaining('closed to the added key') });
  expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toContain(`    - ${recipient} # escrow, 2 of 4\n`);
  expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toContain('# Who can read:');

  const shares = sheets.slice(1, 3).flatMap((sheet) => ['--shares', sheet]);
  const before = await lifeboat(folder, ['keys', 'check', ...shares, '--json']);
  expect(JSON.parse(before.stdout)).toMatchObject({ good: false, keys: [{ inConfiguration: true }] });
  await lifeboat(folder, ['backup', '--quiet']);
  const after = await lifeboat(folder, ['keys', 'check', ...shares, '--json']);
  const opened = { opened: true, destinations: [{ destination: 'local' }, { destination: 'nas' }] };
  expect(JSON.parse(after.stdout)).toMatchObject({ good: true, keys: [{ recipient, opens: [opened, opened] }] });

  const other = await lifeboat(folder, ['drill', '--escrow', '--identity', 'daily.txt', '--json']);
  expect(JSON.parse(other.stdout)).toMatchObject({ error: { code: 'not-a-share' } });
  const few = await lifeboat(folder, ['drill', '--shares', sheets[0]!, '--json']);
  expect(JSON.parse(few.stdout)).toMatchObject({ error: { code: 'shares-too-few' } });
  const drill = await lifeboat(folder, ['drill', ...shares, '--json']);
  expect(JSON.parse(drill.stdout)).toMatchObject({
    verdict: 'proved',
    identity: { kind: 'escrow', opened: [expect.stringMatching(/^[0-9a-f]{32}$/)] },
  });
  const status = JSON.parse((await lifeboat(folder, ['status', '--json'])).stdout);
  expect(status.keys).toMatchObject([
    { label: 'daily', proved: null },
    { label: 'offline', proved: null },
    { recipient, label: 'escrow, 2 of 4', proved: { kind: 'escrow' } },
  ]);
  expect((await lifeboat(folder, ['status'])).stdout).toMatch(
    /Key age1\w+… \(escrow, 2 of 4\): .* a drill with its shares/,
  );
});

test('shares: too few, damaged and mixed ones are named; enough restore without a key file, and give one back', async () => {
  const folder = await aSystem();
  await lifeboat(folder, ['backup', '--quiet']);
  const split = ['keys', 'split', '--identity', 'offline.txt', '--shares', '3', '--threshold', '2'];
  expect((await lifeboat(folder, [...split, '--into', 'one'])).code).toBe(0);
  expect((await lifeboat(folder, [...split, '--into', 'two'])).code).toBe(0);
  expect((await lifeboat(folder, [...split, '--into', 'one'])).stderr).toContain('[sheets-unwritten]');
  const sheet = (set: string, number: number) => `${set}/share-${number}-of-3.txt`;
  const combine = (...files: string[]) => lifeboat(folder, ['keys', 'combine', '--into', 'back.txt', ...files]);

  expect((await combine(sheet('one', 1))).stderr).toContain('[shares-too-few]');
  const mixed = await combine(sheet('one', 1), sheet('two', 2));
  expect(mixed.stderr).toMatch(/two\/share-2-of-3\.txt belongs to another key.*\[shares-mixed\]/s);
  const text = readFileSync(join(folder, sheet('one', 2)), 'utf8');
  writeFileSync(
    join(folder, 'typo.txt'),
    text.replace(/^( {2}4: )(.)/m, (_, start, sign) => start + (sign === '7' ? '8' : '7')),
  );
  expect((await combine(sheet('one', 1), 'typo.txt')).stderr).toMatch(/typo\.txt, line 4: .*\[share-damaged\]/s);
  expect(existsSync(join(folder, 'back.txt'))).toBe(false);

  const given = [sheet('one', 3), sheet('one', 1).replace('.txt', '.html')];
  expect(await combine(...given)).toMatchObject({ code: 0 });
  expect(statSync(join(folder, 'back.txt')).mode & 0o777).toBe(0o600);
  const secretOf = (file: string) => /^AGE-SECRET-KEY-.*$/m.exec(readFileSync(join(folder, file), 'utf8'))![0];
  expect(secretOf('back.txt')).toBe(secretOf('offline.txt'));

  const identity = given.flatMap((file) => ['--identity', file]);
  const back = await lifeboat(folder, ['restore', 'uploads', '--into', 'x', ...identity]);
  expect(back.code, back.stderr).toBe(0);
  expect(back.stdout + back.stderr).not.toContain(secretOf('offline.txt'));

  const linesOf = (number: number) =>
    [...readFileSync(join(folder, sheet('two', number)), 'utf8').matchAll(/^ {2}\d: (.*)$/gm)].map(([, line]) => line!);
  const [first, ...rest] = linesOf(1);
  const wrong = first!.startsWith('0') ? `Z${first!.slice(1)}` : `0${first!.slice(1)}`;
  const typed = [wrong, first!.toLowerCase().replaceAll('0', 'o'), ...rest, ...linesOf(3)];
  const steps = typed.map((line) => ({ after: /sheet \d, line \d: /, type: `${line}\r` }));
  const { shown } = await atTerminal(folder, ['keys', 'combine', '--into', 'typed.txt'], steps);
  expect(shown).toContain('line 1: it is mistyped');
  expect(secretOf('typed.txt'), shown).toBe(secretOf('offline.txt'));
  expect(shown).not.toContain(secretOf('offline.txt'));
});

test('a removed key: what it still opens is told, and nothing is changed where the request makes no sense', async () => {
  const folder = await aSystem();
  await lifeboat(folder, ['backup', '--quiet']);
  const config = readFileSync(join(folder, 'lifeboat.yaml'), 'utf8');
  const [, daily, offline] = /- (age1\w+) # daily\n.*- (age1\w+) # offline/.exec(config)!;
  const tried = async (...words: string[]) =>
    JSON.parse((await lifeboat(folder, ['keys', 'rotate', '--json', ...words])).stdout);
  for (const words of [
    ['--remove', daily!, '--remove', offline!],
    ['--remove', `age1${'q'.repeat(58)}`],
    ['--add', daily!],
    ['--remove', 'age1'],
  ]) {
    expect(await tried(...words)).toMatchObject({ error: { code: 'rotation-impossible' } });
  }
  expect(await tried('--add', 'age1yubikey1qqqq')).toMatchObject({ error: { code: 'recipient-invalid' } });
  expect(await tried('--remove', offline!, '--dry-run')).toMatchObject({ written: false });
  expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toBe(config);

  const removed = await tried('--remove', offline!.slice(0, 20));
  expect(removed).toMatchObject({
    written: true,
    removed: [offline],
    left: { points: 2, stillOpens: [{ unknown: 0 }] },
  });
  expect(removed.left.stillOpens[0].packs).toBeGreaterThan(0);
  const line = config.split('\n').find((one) => one.includes('# offline'))!;
  expect(readFileSync(join(folder, 'lifeboat.yaml'), 'utf8')).toBe(config.replace(`${line}\n`, ''));
  await lifeboat(folder, ['backup', '--quiet', '--fresh']);
  const check = await lifeboat(folder, ['keys', 'check', '--identity', 'offline.txt', '--json']);
  expect(JSON.parse(check.stdout)).toMatchObject({
    good: false,
    keys: [
      {
        inConfiguration: false,
        opens: expect.arrayContaining([expect.objectContaining({ opensPoints: 1, points: 2 })]),
      },
    ],
  });
});
