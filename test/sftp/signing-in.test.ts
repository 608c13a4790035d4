import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createSftp, openSftp } from '../../src/destinations/sftp/destination.ts';
import { runCommand } from '../../src/process/run.ts';
import { startProcess } from '../../src/process/start.ts';
import { asPasswordUser, type Openssh, startOpenssh, whyNotRoot } from '../support/openssh.ts';
import { testPassword } from '../support/openssh-setup.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

let server: Openssh;
beforeAll(async () => {
  server = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  await createSftp(server.options('vault'));
});
afterAll(() => server?.[Symbol.asyncDispose]());
afterEach(() => vi.unstubAllEnvs());

const withoutKey = () => {
  const { key: _, ...options } = server.options('vault');
  return options;
};
const denied = (why: string) => ({ code: 'destination-denied', message: expect.stringContaining(why) });
const impossible = (why: string) => ({ code: 'signing-in-impossible', message: expect.stringContaining(why) });

/** The user's key under a passphrase, in the form that ssh-keygen gives it. */
async function locked(passphrase: string, form: readonly string[]): Promise<string> {
  const file = join(await temporaryFolder(), 'key');
  await runCommand('cp', [server.keyFile, file]);
  await chmod(file, 0o600);
  await runCommand('ssh-keygen', ['-q', '-p', '-f', file, '-P', '', '-N', passphrase, ...form]);
  return readFile(file, 'utf8');
}

test('a key under a passphrase opens with it, and the error without it or with another does not tell it', async () => {
  const key = await locked('a long secret', []);
  await openSftp({ ...withoutKey(), key, passphrase: 'a long secret' });
  await expect(openSftp({ ...withoutKey(), key })).rejects.toMatchObject(impossible('locked by a passphrase'));
  const wrong = await openSftp({ ...withoutKey(), key, passphrase: 'a wrong secret' }).catch((error) => error);
  expect(wrong).toMatchObject(impossible('the passphrase does not open its key'));
  expect(`${wrong.stack}${JSON.stringify(wrong)}`).not.toMatch(/wrong secret|PRIVATE/);
});

test('a key whose last newline was cut, as a reference gives it, is a key', async () => {
  await openSftp({ ...withoutKey(), key: server.key.trimEnd() });
});

test('what is no private key, or nothing at all, is said before anybody is asked', async () => {
  const publicKey = await readFile(`${server.keyFile}.pub`, 'utf8');
  await expect(openSftp({ ...withoutKey(), key: publicKey })).rejects.toMatchObject(impossible('is no private key'));
  await expect(openSftp({ ...withoutKey(), key: 'x' })).rejects.toMatchObject(
    impossible('not in a form that is known'),
  );
  await expect(openSftp(withoutKey())).rejects.toMatchObject(impossible('neither a key nor a password nor the agent'));
});

test('a key that the server does not know is denied, not tried for ever', async () => {
  const file = join(await temporaryFolder(), 'other');
  await runCommand('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const key = await readFile(file, 'utf8');
  const why = `it does not let ${server.user} in with the key`;
  await expect(openSftp({ ...withoutKey(), key })).rejects.toMatchObject(denied(why));
});

test('a password signs in, a wrong one is denied, and no error tells it', async (context) => {
  if (whyNotRoot !== undefined) context.skip(whyNotRoot);
  // To be let in is what counts: this user may not look into the other one's folder.
  const right = openSftp(asPasswordUser(withoutKey(), testPassword));
  await expect(right).rejects.toMatchObject(denied('this account may not look at a file'));
  const wrong = await openSftp(asPasswordUser(withoutKey(), 'wrong horse')).catch((error) => error);
  expect(wrong).toMatchObject(denied('it does not let harbor-password in with the password'));
  expect(`${wrong.stack}${JSON.stringify(wrong)}${wrong.cause?.stack}`).not.toContain('wrong horse');
});

test('the agent signs in, and without one the error says so', async () => {
  const socket = join(await temporaryFolder(), 'agent');
  await using _agent = await startProcess('ssh-agent', ['-D', '-a', socket], { stdout: 'tail' });
  const env = { SSH_AUTH_SOCK: socket };
  await until(() =>
    runCommand('ssh-add', [server.keyFile], { env }).then(
      () => true,
      () => false,
    ),
  );
  vi.stubEnv('SSH_AUTH_SOCK', socket);
  await openSftp({ ...withoutKey(), agent: true });
  await runCommand('ssh-add', ['-D'], { env });
  await expect(openSftp({ ...withoutKey(), agent: true })).rejects.toMatchObject(denied('with the keys of the agent'));
  vi.stubEnv('SSH_AUTH_SOCK', `${socket}-gone`);
  await expect(openSftp({ ...withoutKey(), agent: true })).rejects.toMatchObject(denied('the agent failed'));
  vi.stubEnv('SSH_AUTH_SOCK', '');
  await expect(openSftp({ ...withoutKey(), agent: true })).rejects.toMatchObject(impossible('no agent runs here'));
});

test('a server without SFTP, and a port where nobody listens, are told apart', async () => {
  await using shell = await startOpenssh({ hostKeyTypes: ['ed25519'], settings: 'ForceCommand echo hello' });
  await expect(openSftp(shell.options('vault'))).rejects.toMatchObject({ code: /destination-(denied|unreachable)/ });
  const { port } = shell;
  await shell.stop();
  await expect(openSftp({ ...shell.options('vault'), port })).rejects.toMatchObject({
    code: 'destination-unreachable',
    message: expect.stringContaining('nothing listens on that port'),
  });
});

test('files/22: a shell that prints before SFTP begins is named, and neither rights nor keys are blamed', async () => {
  await using chatty = await startOpenssh({
    hostKeyTypes: ['ed25519'],
    settings: "ForceCommand echo 'Welcome to the store'; exec /usr/lib/openssh/sftp-server",
  });
  await expect(openSftp(chatty.options('vault'))).rejects.toMatchObject({
    code: 'sftp-not-offered',
    message: expect.stringContaining(`the account's shell prints text first ("Welc…")`),
  });
  await using shut = await startOpenssh({ hostKeyTypes: ['ed25519'], settings: 'ForceCommand exit 3' });
  await expect(openSftp(shut.options('vault'))).rejects.toMatchObject({ code: 'sftp-not-offered' });
});
