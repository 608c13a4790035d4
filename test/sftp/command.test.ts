import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { type Openssh, startOpenssh, whyNotRoot } from '../support/openssh.ts';

let server: Openssh;
beforeAll(async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/sftp.md'), 'utf8');
  const settings = /```sshd_config\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  server = await startOpenssh(whyNotRoot === undefined ? { settings } : {});
});
afterAll(() => server?.[Symbol.asyncDispose]());

const daily = ['--identity', 'lifeboat-keys/daily.txt'];

/** A project whose only destination is the server, as docs/sftp.md sets it up. */
async function projectOnServer(over = '', on = server, at?: string): Promise<string> {
  const folder = await project();
  const init = await lifeboat(folder, ['init']);
  expect(init.code, init.stderr).toBe(0);
  writeFileSync(join(folder, 'sftp-key'), on.key, { mode: 0o600 });
  const { path } = on.options(at ?? 'vault');
  const sftp = `destinations:
  box:
    type: sftp
    host: 127.0.0.1
    port: ${on.port}
    user: ${on.user}
    path: ${whyNotRoot === undefined && at === undefined ? '/vault' : path}
    key: \${file:sftp-key}
${over || `    hostKeys: ["${on.hostKeys.ed25519!.fingerprint}"]\n`}`;
  const file = join(folder, 'lifeboat.yaml');
  const text = readFileSync(file, 'utf8');
  const replaced = text.replace(/^destinations:\n(?: .*\n)+/m, sftp);
  expect(replaced).not.toBe(text);
  writeFileSync(file, replaced);
  return folder;
}

async function well(folder: string, ...args: string[]): Promise<string> {
  const ran = await lifeboat(folder, args);
  expect(ran.code, `${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0);
  expect(ran.stdout + ran.stderr).not.toContain('PRIVATE KEY');
  return ran.stdout;
}

test('with nothing but an account that can only add: back up, list, restore and verify', async () => {
  const folder = await projectOnServer();
  await well(folder, 'backup');
  writeFileSync(join(folder, 'data/uploads/b.txt'), 'second');
  await well(folder, 'backup');
  const checked = await well(folder, 'check');
  if (whyNotRoot === undefined) expect(checked).toContain('read back; this account cannot remove anything');
  expect(await well(folder, 'list')).toContain('uploads');
  await well(folder, 'verify', '--all', ...daily);
  await well(folder, 'restore', 'uploads', '--into', 'back', ...daily);
  expect(readFileSync(join(folder, 'back/a.txt'), 'utf8')).toBe('hello');
  expect(readFileSync(join(folder, 'back/b.txt'), 'utf8')).toBe('second');
});

test('a server whose key is not known gets no backup, and the command says what to add', async () => {
  const folder = await projectOnServer('    agent: false\n');
  const ran = await lifeboat(folder, ['backup']);
  expect(ran.code).toBe(2);
  expect(ran.stdout + ran.stderr).toContain(`hostKeys: ["${server.hostKeys.ed25519!.fingerprint}"]`);
});

test('terminal-12: check before the first backup writes into a folder that is not there yet, so an account that may not is seen', async () => {
  await using plain = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  const folder = await projectOnServer('', plain, 'not/yet');
  const checked = async () => {
    const { stdout } = await lifeboat(folder, ['check', '--json']);
    const { checks } = JSON.parse(stdout) as {
      checks: { area: string; name: string; result: string; message: string }[];
    };
    return checks.find(({ area }) => area === 'destination');
  };
  await plain.restart({ sftpArguments: '-R' });
  expect(await checked()).toMatchObject({ result: 'bad', name: 'box' });
  await plain.restart({});
  expect(await checked()).toMatchObject({ result: 'good', message: expect.stringContaining('written, read back') });
});
