import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSftp, openSftp } from '../../src/destinations/sftp/destination.ts';
import { runCommand } from '../../src/process/run.ts';
import { type Openssh, startOpenssh } from '../support/openssh.ts';
import { newKey } from '../support/openssh-setup.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';

let server: Openssh;
beforeAll(async () => {
  server = await startOpenssh();
  await createSftp(server.options('vault'));
});
afterAll(() => server?.[Symbol.asyncDispose]());

const opening = (over: { hostKeys?: readonly string[]; knownHosts?: string }) => {
  const { hostKeys: _, ...options } = server.options('vault');
  return openSftp({ ...options, hostKeys: [], ...over });
};
const changed = { code: 'host-key-changed' };
const unknown = { code: 'host-key-unknown' };

async function knownHosts(...lines: string[]): Promise<string> {
  const file = join(await temporaryFolder(), 'known_hosts');
  await writeFile(file, `# ours\n\n${lines.join('\n')}\n`);
  return file;
}

async function otherKey() {
  return newKey(join(await temporaryFolder(), 'key'), 'ed25519');
}

test('without a host key nothing is sent, and the error names the key that the server shows and where it goes', async () => {
  const { fingerprint } = server.hostKeys.ed25519!;
  const before = await until(() => server.signIns());
  await expect(opening({})).rejects.toMatchObject({
    ...unknown,
    message: expect.stringContaining(`neither hostKeys nor knownHosts is given`),
    hint: expect.stringContaining(`hostKeys: ["${fingerprint}"]`),
  });
  await expect(opening({ knownHosts: await knownHosts('other.example ssh-ed25519 AAAA') })).rejects.toMatchObject({
    ...unknown,
    message: expect.stringContaining('known_hosts does not name it'),
  });
  expect(await server.signIns()).toBe(before);
});

test('a fingerprint or a key line of any of its keys is enough', async () => {
  const other = await otherKey();
  for (const { fingerprint, line } of Object.values(server.hostKeys)) {
    for (const right of [fingerprint, `${fingerprint}=`, line, `${line} root@box`, `box.example ${line}`]) {
      await opening({ hostKeys: [right] });
      await opening({ hostKeys: [other.fingerprint, other.line, right] });
    }
  }
});

test('another key is a loud error, and nobody signs in', async () => {
  const other = await otherKey();
  const before = await server.signIns();
  for (const wrong of [other.fingerprint, other.line]) {
    await expect(opening({ hostKeys: [wrong] })).rejects.toMatchObject({
      ...changed,
      message: expect.stringMatching(/^WRONG SERVER\? 127\.0\.0\.1:\d+ shows the key SHA256:/),
      hint: expect.stringContaining('Somebody may stand in between'),
    });
  }
  expect(await server.signIns()).toBe(before);
});

test('what is no key is refused before anything is sent', async () => {
  for (const hostKeys of [['SHA256:short'], ['ssh-ed25519'], ['ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA'], ['']]) {
    await expect(opening({ hostKeys })).rejects.toMatchObject({ code: 'host-keys-unusable' });
  }
  await expect(opening({ knownHosts: '/nowhere/known_hosts' })).rejects.toMatchObject({ code: 'host-keys-unusable' });
});

test('a known_hosts file as ssh writes it: [host]:port, hashed, patterns, several names, ssh-keyscan', async () => {
  const { line } = server.hostKeys.ecdsa!;
  const name = `[127.0.0.1]:${server.port}`;
  const names = [name, `elsewhere,${name}`, `[127.0.0.*]:${server.port}`, `[127.0.0.?]:*`, '*'];
  for (const written of names) await opening({ knownHosts: await knownHosts(`${written} ${line} comment`) });
  const others = ['127.0.0.1', '[127.0.0.1]:1', `*,!${name}`, '[127.0.0.1', '[127*0.0.2]:*'];
  for (const written of others) {
    await expect(opening({ knownHosts: await knownHosts(`${written} ${line}`) })).rejects.toMatchObject(unknown);
  }

  const hashed = await knownHosts(`${name} ${line}`, `elsewhere ${(await otherKey()).line}`);
  await runCommand('ssh-keygen', ['-q', '-H', '-f', hashed]);
  expect(await readFile(hashed, 'utf8')).toMatch(/^\|1\|/m);
  await opening({ knownHosts: hashed });

  const scanned = await runCommand('ssh-keyscan', ['-p', `${server.port}`, '127.0.0.1']);
  await opening({ knownHosts: await knownHosts(scanned.stdout.toString()) });
});

test('a known_hosts file that knows another key of it is a loud error, and so is a key that it revokes', async () => {
  const name = `[127.0.0.1]:${server.port}`;
  const { line } = server.hostKeys.ed25519!;
  const other = await otherKey();
  await expect(opening({ knownHosts: await knownHosts(`${name} ${other.line}`) })).rejects.toMatchObject(changed);
  const revoked = await knownHosts(`${name} ${line}`, `@revoked * ${line}`);
  await expect(opening({ knownHosts: revoked })).rejects.toMatchObject({
    ...changed,
    message: expect.stringContaining('revoked'),
  });
  // Also when the configuration names it: revoked is revoked.
  await expect(opening({ knownHosts: revoked, hostKeys: [line] })).rejects.toMatchObject(changed);
});

test('a certificate authority for it is not checked, and says so', async () => {
  const authority = await knownHosts(`@cert-authority * ${(await otherKey()).line}`);
  await expect(opening({ knownHosts: authority })).rejects.toMatchObject({
    ...unknown,
    message: expect.stringContaining('names only an authority for it, which is not checked'),
  });
  await opening({ knownHosts: authority, hostKeys: [server.hostKeys.rsa!.line] });
});

test('a server that gets a new key while it is in use is refused from then on', async () => {
  await using moved = await startOpenssh({ hostKeyTypes: ['ed25519'] });
  const destination = await createSftp(moved.options('vault'));
  await destination.put('a', Buffer.from('x'));
  await moved.restartWithNewHostKeys();
  await expect(destination.get('a')).rejects.toMatchObject(changed);
  await expect(destination.put('b', Buffer.from('y'))).rejects.toMatchObject(changed);
});
