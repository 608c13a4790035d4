import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bucket } from '../support/rgw.ts';
import { temporaryFolder } from '../support/temp.ts';
import { atTerminal } from '../support/terminal.ts';
import { lifeboat, project, sealTo } from './lifeboat.ts';

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const secret = 'korrekt Pferd';

/** No four signs of it in a row: an echo may lack some, or have others between. */
function expectHidden(shown: string): void {
  for (let at = 0; at + 4 <= secret.length; at++) expect(shown).not.toContain(secret.slice(at, at + 4));
}

/** A project that is backed up to two keys behind a passphrase: `id` of SSH, and `key.age`. */
async function protectedProject(): Promise<string> {
  const folder = await project();
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', secret, '-f', join(folder, 'id')]);
  const made = await lifeboat(folder, ['keys', 'new', 'plain.txt']);
  const age = `age -p -o ${join(folder, 'key.age')} ${join(folder, 'plain.txt')}`;
  execFileSync('script', ['-qec', age, '/dev/null'], { input: `${secret}\n${secret}\n`, stdio: 'pipe' });
  sealTo(folder, /age1\w+$/m.exec(made.stdout)![0], readFileSync(join(folder, 'id.pub'), 'utf8').trim());
  const backup = await lifeboat(folder, ['backup', '--quiet']);
  expect(backup.code, backup.stderr).toBe(0);
  return folder;
}

test('the passphrase of a key is asked for and not shown, and a wrong one is told', async () => {
  const folder = await protectedProject();
  for (const key of ['id', 'key.age']) {
    const restoreInto = (into: string) => ['restore', 'uploads', '--into', into, '--identity', key];
    const prompt = new RegExp(`Passphrase of ${key}: `);
    // The backspace takes the x back.
    const typed = { after: prompt, type: `kx\x7f${secret.slice(1)}\r` };
    const right = await atTerminal(folder, restoreInto(`back-${key}`), [typed]);
    expect(right, right.shown).toMatchObject({ code: 0, modesKept: true });
    expect(readFileSync(join(folder, `back-${key}/a.txt`), 'utf8')).toBe('hello');
    expectHidden(right.shown);

    const wrong = await atTerminal(folder, restoreInto('no'), [{ after: prompt, type: `${secret}!\r` }]);
    expect(wrong, wrong.shown).toMatchObject({ code: 2, modesKept: true });
    expect(wrong.shown).toContain(`lifeboat: The passphrase does not open ${key}.`);
    expect(wrong.shown).toContain('[passphrase-wrong]');
    expectHidden(wrong.shown);
    expect(existsSync(join(folder, 'no'))).toBe(false);
  }
}, 120_000);

test('Ctrl-C and SIGTERM at the passphrase end with 130, the terminal as it was, and nothing done', async () => {
  const folder = await protectedProject();
  for (const does of [{ type: `${secret.slice(0, 6)}${CTRL_C}` }, { signal: 'SIGTERM' } as const]) {
    const words = ['restore', 'uploads', '--into', 'no', '--identity', 'id'];
    const ended = await atTerminal(folder, words, [{ after: /Passphrase of id: /, ...does }]);
    expect(ended, ended.shown).toMatchObject({ code: 130, modesKept: true });
    expect(ended.shown).toContain('[interrupted]');
    expectHidden(ended.shown);
    expect(existsSync(join(folder, 'no'))).toBe(false);
  }
}, 120_000);

test.for([
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
] as const)('%s while the lines of a sheet are asked for ends with 130, and no key is written', async ([, sign]) => {
  const folder = await temporaryFolder();
  const steps = [
    { after: /sheet 1, line 1: /, type: 'not a line\r' },
    { after: /Once more\..*sheet 1, line 1: /s, type: sign },
  ];
  const ended = await atTerminal(folder, ['keys', 'combine', '--into', 'whole.txt'], steps);
  expect(ended, ended.shown).toMatchObject({ code: 130, modesKept: true });
  expect(ended.shown).toContain('[interrupted]');
  expect(existsSync(join(folder, 'whole.txt'))).toBe(false);
});

test('bootstrap asks for the keys of a bucket and does not show the secret one; Ctrl-C at either question ends with 130', async () => {
  const place = await bucket();
  const { accessKeyId, secretAccessKey } = place.keys;
  const folder = await project();
  await lifeboat(folder, ['init', '--quiet']);
  const file = join(folder, 'lifeboat.yaml');
  const destination = `{ type: s3, bucket: ${place.bucket}, endpoint: "${place.endpoint}" }`;
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(/^destinations:\n(?: .*\n)+/m, `destinations: { ceph: ${destination} }\n`),
  );
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const backup = await lifeboat(folder, ['backup', '--quiet'], env);
  expect(backup.code, backup.stderr).toBe(0);

  const words = ['bootstrap', `s3://${place.bucket}?endpoint=${encodeURIComponent(place.endpoint)}`];
  const [idAsked, secretAsked] = [/Access key id \(.*\): /, /Secret access key: /];
  const id = { after: idAsked, type: `${accessKeyId}\r` };
  const answered = await atTerminal(folder, words, [id, { after: secretAsked, type: `${secretAccessKey}\r` }]);
  expect(answered, answered.shown).toMatchObject({ code: 0, modesKept: true });
  expect(answered.shown).toContain('uploads');
  expect(answered.shown).toContain(accessKeyId);
  expect(answered.shown).not.toContain(secretAccessKey.slice(0, 8));

  for (const steps of [
    [{ after: idAsked, type: `${accessKeyId}${CTRL_C}` }],
    [id, { after: secretAsked, type: `${secretAccessKey.slice(0, 8)}${CTRL_C}` }],
  ]) {
    const ended = await atTerminal(folder, words, steps);
    expect(ended, ended.shown).toMatchObject({ code: 130, modesKept: true });
    expect(ended.shown).toContain('[interrupted]');
    expect(ended.shown).not.toContain(secretAccessKey.slice(0, 8));
  }
}, 120_000);
