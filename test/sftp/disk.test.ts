import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Destination } from '../../src/destinations/destination.ts';
import { createLocal } from '../../src/destinations/local/destination.ts';
import { createSftp, openSftp } from '../../src/destinations/sftp/destination.ts';
import { runCommand } from '../../src/process/run.ts';
import { listAll } from '../suites/destination.suite.ts';
import { type Openssh, startOpenssh, whyNotRoot } from '../support/openssh.ts';
import { smallDisk } from '../support/small-disk.ts';

beforeEach((context) => {
  if (whyNotRoot !== undefined) context.skip(whyNotRoot);
});

const named = (body: Uint8Array) => `packs/${createHash('sha256').update(body).digest('hex')}.age`;
const keysOf = async (destination: Destination) => (await listAll(destination)).map(({ key }) => key);

/** A server whose jail is a small disk, and a destination on it. */
async function onSmallDisk(sizeMiB: number, inodes?: number) {
  const disk = await smallDisk(sizeMiB, inodes);
  const server = await startOpenssh({
    hostKeyTypes: ['ed25519'],
    prepareJail: (jail) => runCommand('mount', ['--bind', disk.path, jail]).then(() => chmodSync(jail, 0o755)),
    leaveJail: (jail) => runCommand('umount', ['--lazy', jail]).then(() => {}),
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const options = server.options('deep/er/vault');
  return { disk, server, options, destination: await createSftp(options) };
}

test('a full disk is destination-full at once, nothing is lost or half, and it works again once there is room', async () => {
  const { server, destination } = await onSmallDisk(8);
  const bodies: Buffer[] = [];
  for (let full = false; !full; ) {
    const body = randomBytes(700_000);
    const error = await destination.put(named(body), body).then(
      () => bodies.push(body) && undefined,
      (thrown: unknown) => thrown,
    );
    full = error !== undefined;
    if (full) expect(error).toMatchObject({ code: 'destination-full', message: expect.stringContaining('is full') });
  }
  expect(bodies.length).toBeGreaterThan(2);
  expect(await keysOf(destination)).toEqual(bodies.map(named).sort());
  for (const body of bodies) expect(Buffer.compare(await destination.get(named(body)), body)).toBe(0);
  expect(readdirSync(join(server.folder, 'deep/er/vault/.incoming'))).toEqual([]);
  expect(await destination.freeBytes()).toBeLessThan(700_000);
  await destination.delete(named(bodies[0] as Buffer));
  await destination.put('packs/fits', Buffer.alloc(600_000));
});

test('a disk without inodes left is full, too', async () => {
  const { destination } = await onSmallDisk(8, 128);
  await expect(
    (async () => {
      for (let n = 0; ; n++) await destination.put(`many/${n}`, Buffer.from('x'));
    })(),
  ).rejects.toMatchObject({ code: 'destination-full' });
});

test('a read-only disk can be read, and says that it cannot be written', async () => {
  const { disk, options, destination } = await onSmallDisk(8);
  await destination.put('packs/1', Buffer.from('x'));
  await disk.remount('ro');
  for (const one of [destination, await openSftp(options)]) {
    const readOnly = { code: 'destination-read-only' };
    await expect(one.put('packs/2', Buffer.from('y'))).rejects.toMatchObject(readOnly);
    await expect(one.delete('packs/1')).rejects.toMatchObject(readOnly);
    expect(Buffer.from(await one.get('packs/1')).toString()).toBe('x');
    expect(await keysOf(one)).toEqual(['packs/1']);
  }
});

test('what a put has confirmed survives a power cut of the server', async () => {
  const { disk, destination } = await onSmallDisk(16);
  for (const body of [1, 70_000, 1_000_000].map((size) => randomBytes(size))) {
    const record = `snapshots/db${body.length}/day/1.json`;
    await destination.put(named(body), body);
    await destination.put(record, body);
    const path = join(await disk.afterPowerCut(), 'vault/deep/er/vault');
    const survived = await createLocal({ name: 'survived', path });
    expect(Buffer.compare(await survived.get(named(body)), body)).toBe(0);
    expect(Buffer.compare(await survived.get(record), body)).toBe(0);
  }
});

/** A server with a folder of its own, for what is particular to files. */
async function onFolder(sftpArguments = ''): Promise<{ server: Openssh; destination: Destination; path: string }> {
  const server = await startOpenssh({ hostKeyTypes: ['ed25519'], sftpArguments });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return {
    server,
    destination: await createSftp(server.options('vault')),
    path: join(server.folder, 'vault'),
  };
}

test('opening what does not exist fails and creates nothing; nor is an empty folder a destination', async () => {
  const { server } = await onFolder();
  const unreachable = { code: 'destination-unreachable' };
  await expect(openSftp(server.options('not-mounted'))).rejects.toMatchObject({
    ...unreachable,
    message: expect.stringMatching(
      /^Destination box \(sftp:\/\/harbor-backup@.*\) cannot be reached: the folder does not/,
    ),
  });
  await mkdir(join(server.folder, 'empty'));
  await expect(openSftp(server.options('empty'))).rejects.toMatchObject(unreachable);
  expect(readdirSync(server.folder).sort()).toEqual(['empty', 'vault']);
  expect(readdirSync(join(server.folder, 'empty'))).toEqual([]);
});

test('a disk that goes while it is in use is unreachable: nothing is missing, nothing lands below it', async () => {
  const { destination, path } = await onFolder();
  await destination.put('packs/1', Buffer.from('x'));
  await rename(path, `${path}-elsewhere`);
  await mkdir(path);
  const unreachable = { code: 'destination-unreachable' };
  await expect(destination.put('packs/2', Buffer.from('y'))).rejects.toMatchObject(unreachable);
  await expect(destination.get('packs/1')).rejects.toMatchObject(unreachable);
  await expect(destination.stat('packs/1')).rejects.toMatchObject(unreachable);
  await expect(listAll(destination)).rejects.toMatchObject(unreachable);
  await expect(destination.delete('packs/1')).rejects.toMatchObject(unreachable);
  await expect(destination.freeBytes()).rejects.toMatchObject(unreachable);
  expect(readdirSync(path)).toEqual([]);
});

test('strangers in the folder are not objects, and what is in the way of one is said', async () => {
  const { destination, path } = await onFolder();
  await destination.put('packs/1', Buffer.from('x'));
  await mkdir(join(path, 'lost+found'), { mode: 0 });
  await writeFile(join(path, '.DS_Store'), 'x');
  await writeFile(join(path, 'packs', 'read me.txt'), 'x');
  await symlink('nowhere', join(path, 'packs', 'dangling'));
  expect(await listAll(destination)).toMatchObject([{ key: 'packs/1' }, { key: 'packs/dangling', instead: 'a link' }]);
  await expect(destination.put('packs', Buffer.from('x'))).rejects.toMatchObject({ code: 'destination-denied' });
  await expect(destination.put('packs/1/2', Buffer.from('x'))).rejects.toMatchObject({ code: 'destination-denied' });
});

test('H1: links on the server are followed by no verb, and are damage that is named', async () => {
  const { destination, path } = await onFolder();
  await destination.put('packs/ab/1', Buffer.from('x'));
  await rename(join(path, 'packs'), join(path, '.moved'));
  await symlink('.moved', join(path, 'packs'));
  const damaged = { code: 'object-damaged', message: expect.stringContaining('links are not followed') };
  await expect(destination.put('packs/ab/2', Buffer.from('y'))).rejects.toMatchObject(damaged);
  await expect(destination.get('packs/ab/1')).rejects.toMatchObject(damaged);
  await expect(destination.stat('packs/ab/1')).rejects.toMatchObject(damaged);
  await expect(destination.delete('packs/ab/1')).rejects.toMatchObject(damaged);
  await expect(listAll(destination, 'packs/')).rejects.toMatchObject(damaged);
  expect(await listAll(destination)).toMatchObject([{ key: 'packs', instead: 'a link' }]);
  await symlink('.moved/ab/1', join(path, 'object'));
  await expect(destination.get('object')).rejects.toMatchObject(damaged);
  expect(await readFile(join(path, '.moved/ab/1'), 'utf8')).toBe('x');
});

test('an object that was cut short or garbled on the server is object-exists for a writer and stays as it is', async () => {
  const { destination, path } = await onFolder();
  await destination.put('packs/1', Buffer.from('whole'));
  for (const damaged of ['who', 'whale', 'whole and more', '']) {
    await writeFile(join(path, 'packs/1'), damaged);
    await expect(destination.put('packs/1', Buffer.from('whole'))).rejects.toMatchObject({ code: 'object-exists' });
    expect(Buffer.from(await destination.get('packs/1')).toString()).toBe(damaged);
  }
});

test('an account that may neither link nor rename is told why nothing can be stored', async () => {
  const { destination } = await onFolder('-P hardlink,rename');
  expect(destination.capabilities.conditionalCreate).toBe(false);
  await expect(destination.put('packs/1', Buffer.from('x'))).rejects.toMatchObject({
    code: 'destination-denied',
    message: expect.stringContaining('may neither link nor rename'),
  });
  expect(await keysOf(destination)).toEqual([]);
});

test('an account that may only read can be restored from', async () => {
  const { destination, server } = await onFolder();
  await destination.put('packs/1', Buffer.from('x'));
  await server.restart({ sftpArguments: '-R' });
  const reader = await openSftp(server.options('vault'));
  expect(Buffer.from(await reader.get('packs/1')).toString()).toBe('x');
  expect(await keysOf(reader)).toEqual(['packs/1']);
  await expect(reader.put('packs/2', Buffer.from('y'))).rejects.toMatchObject({ code: 'destination-denied' });
  await expect(reader.delete('packs/1')).rejects.toMatchObject({ code: 'destination-denied' });
});

test('a listing of many folders and pages is whole', async () => {
  const { destination, path } = await onFolder();
  const keys: string[] = [];
  for (let folder = 0; folder < 40; folder++) {
    await mkdir(join(path, `packs/${folder}/x`), { recursive: true });
    for (let n = 0; n < 8; n++) keys.push(`packs/${folder}/${n}`, `packs/${folder}/x/${n}`);
  }
  for (let n = 0; n < 350; n++) keys.push(`packs/many-${n}`);
  await Promise.all(keys.map((key) => writeFile(join(path, key), 'x')));
  expect(await keysOf(destination)).toEqual(keys.sort());
});
