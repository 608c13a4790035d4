import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2, { type SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import { createDestination } from '../../src/destinations/registry.ts';
import { openSftp } from '../../src/destinations/sftp/destination.ts';
import { listAll } from '../suites/destination.suite.ts';
import { type Openssh, startOpenssh, whyNotRoot } from '../support/openssh.ts';

/** The lines that docs/sftp.md gives to people, word for word. */
async function documentedSettings(): Promise<string> {
  const page = await readFile(join(import.meta.dirname, '../../docs/sftp.md'), 'utf8');
  return /```sshd_config\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
}

let server: Openssh;
let destination: Destination;
beforeAll(async () => {
  if (whyNotRoot === undefined) server = await startOpenssh({ settings: await documentedSettings() });
});
afterAll(() => server?.[Symbol.asyncDispose]());
beforeEach((context) => {
  if (whyNotRoot !== undefined) context.skip(whyNotRoot);
});

const inside = () => ({ ...server.options(''), path: '/vault' });
const objects = { 'vault.json': '{"format":1}', 'packs/aa/1.age': 'first', 'packs/ab/2.age': 'second'.repeat(50_000) };

async function stored(): Promise<Destination> {
  destination ??= await createDestination('box', inside());
  for (const [key, text] of Object.entries(objects)) await destination.put(key, Buffer.from(text));
  return destination;
}

async function expectUnharmed(): Promise<void> {
  for (const [key, text] of Object.entries(objects)) {
    expect(readFileSync(join(server.folder, key), 'utf8')).toBe(text);
    expect(Buffer.from(await destination.get(key)).toString()).toBe(text);
  }
}

test('a restricted, chrooted account stores, finds again, lists and reads', async () => {
  const box = await stored();
  expect(await box.put('packs/aa/1.age', Buffer.from('first'))).toMatchObject({ existed: true });
  await expect(box.put('packs/aa/1.age', Buffer.from('other'))).rejects.toMatchObject({ code: 'object-exists' });
  expect((await listAll(box)).map(({ key }) => key)).toEqual(['packs/aa/1.age', 'packs/ab/2.age', 'vault.json']);
  expect(Buffer.from(await box.get('packs/ab/2.age', { offset: 3, length: 5 })).toString()).toBe('ondse');
  await expect(box.get('packs/aa/3.age')).rejects.toMatchObject({ code: 'object-missing' });
  expect(await box.freeBytes()).toBeGreaterThan(0);
  await expectUnharmed();
});

test('it removes nothing, and says so; what is absent needs no removing', async () => {
  const box = await stored();
  await expect(box.delete('packs/aa/1.age')).rejects.toMatchObject({
    code: 'destination-denied',
    message: expect.stringContaining('this account may not remove a file'),
  });
  await box.delete('packs/aa/never-there');
  await box.delete('packs');
  await expectUnharmed();
});

test('names that stay in .incoming take no room and do no harm, also to a destination that is opened anew', async () => {
  await stored();
  const incoming = join(server.folder, '.incoming');
  for (const name of readdirSync(incoming)) expect(statSync(join(incoming, name)).nlink).toBe(2);
  const again = await openSftp(inside());
  expect((await listAll(again)).map(({ key }) => key)).toEqual(Object.keys(objects).sort());
  expect(await again.put('packs/aa/late.age', Buffer.from('late'))).toMatchObject({ existed: false });
});

test('whoever has the key of that account can neither overwrite, shorten, rename, hide nor remove a backup', async () => {
  await stored();
  const temporary = readdirSync(join(server.folder, '.incoming')).map((name) => `/vault/.incoming/${name}`);
  await using thief = await signInAs(server);
  const { sftp } = thief;
  const refused = (work: (done: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      work((error) => (error ? resolve() : reject(new Error(`allowed: ${work}`))));
    });
  for (const path of ['/vault/packs/aa/1.age', '/vault/vault.json', ...temporary]) {
    for (const flags of ['w', 'r+', 'a', 'w+', 'wx'] as const) await refused((done) => sftp.open(path, flags, done));
    await refused((done) => sftp.unlink(path, done));
    await refused((done) => sftp.rename(path, '/vault/gone', done));
    await refused((done) => sftp.chmod(path, 0o600, done));
    await refused((done) => sftp.setstat(path, { size: 0 }, done));
    await refused((done) => sftp.utimes(path, 0, 0, done));
    const handle = await new Promise<Buffer>((resolve, reject) => {
      sftp.open(path, 'r', (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    await refused((done) => sftp.fchmod(handle, 0o600, done));
    await refused((done) => sftp.fsetstat(handle, { size: 0 }, done));
    await refused((done) => sftp.write(handle, Buffer.from('x'), 0, 1, 0, done));
    await refused((done) => sftp.ext_openssh_hardlink('/vault/packs/ab/2.age', path, done));
    for (const extension of ['ext_openssh_rename', 'ext_openssh_lsetstat', 'ext_copy_data'] as const) {
      // Not even offered.
      expect(() =>
        (sftp as unknown as Record<string, (...words: unknown[]) => void>)[extension]?.(path, path),
      ).toThrow();
    }
  }
  for (const folder of ['/vault/packs', '/vault/packs/aa', '/vault/.incoming', '/vault']) {
    await refused((done) => sftp.rename(folder, '/vault/away', done));
    await refused((done) => sftp.rmdir(folder, done));
    await refused((done) => sftp.chmod(folder, 0o777, done));
  }
  await refused((done) => sftp.symlink('/etc/passwd', '/vault/packs/aa/link', done));
  await refused((done) => sftp.mkdir('/above', done));
  await refused((done) => sftp.opendir('/vault/../../../etc', done));
  // Whatever it runs, it gets SFTP; and no way on from there.
  await refused((done) => thief.client.forwardOut('127.0.0.1', 1, '127.0.0.1', server.port, done));
  await refused((done) => {
    thief.client.exec('rm -rf /vault', (error, channel) => {
      if (error) done(error);
      else
        channel.once('data', () => done(new Error('answered as SFTP'))).once('close', () => done(new Error('closed')));
      channel?.end('rm -rf /vault\n');
    });
  });
  await expectUnharmed();
});

test('it can add files of its own: what the account does not protect from is known', async () => {
  await stored();
  await using thief = await signInAs(server);
  await new Promise<void>((resolve, reject) => {
    thief.sftp.writeFile('/vault/packs/aa/junk', 'junk', (error) => (error ? reject(error) : resolve()));
  });
  expect((await listAll(destination)).map(({ key }) => key)).toContain('packs/aa/junk');
  await expectUnharmed();
});

async function signInAs({
  port,
  user,
  key,
}: Openssh): Promise<AsyncDisposable & { sftp: SFTPWrapper; client: ssh2.Client }> {
  const client = new ssh2.Client();
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.once('error', reject);
    client.once('ready', () => client.sftp((error, opened) => (error ? reject(error) : resolve(opened))));
    client.connect({ host: '127.0.0.1', port, username: user, privateKey: key });
  });
  client.on('error', () => {});
  return {
    client,
    sftp,
    async [Symbol.asyncDispose]() {
      client.end();
    },
  };
}
