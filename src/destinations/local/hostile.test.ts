import { mkdir, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { listAll } from '../../../test/suites/destination.suite.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { startProcess } from '../../process/start.ts';
import type { Destination } from '../destination.ts';
import { createLocal, openLocal } from './destination.ts';

const keysOf = async (destination: Destination) => (await listAll(destination)).map((item) => item.key);

/** A folder that is a destination, with the path that its name stands for. */
async function newLocal() {
  const path = join(await temporaryFolder({ open: true }), 'vault');
  return { path, destination: await createLocal({ name: 'disk', path }) };
}

/** A destination with a folder beside it that holds a vault's objects and that links could lead to. */
async function besideVictim() {
  const { path, destination } = await newLocal();
  await destination.put('packs/ab/1', Buffer.from('x'));
  const victim = join(await temporaryFolder({ open: true }), 'victim');
  await mkdir(victim);
  await writeFile(join(victim, 'secret'), 'root only');
  await writeFile(join(victim, '0123456789ab-8-1-0123456789abcdef'), 'looks like ours');
  const longAgo = Date.now() / 1000 - 90_000 * 3;
  for (const name of await readdir(victim)) await utimes(join(victim, name), longAgo, longAgo);
  const before = await readdir(victim);
  const unharmed = async () => {
    expect(await readdir(victim)).toEqual(before);
    expect(await readFile(join(victim, 'secret'), 'utf8')).toBe('root only');
  };
  return { path, destination, victim, unharmed };
}

test('H1: whoever links .incoming elsewhere has nothing removed or written there, by readers or writers', async () => {
  const { path, victim, unharmed } = await besideVictim();
  await rm(join(path, '.incoming'), { recursive: true });
  await symlink(victim, join(path, '.incoming'));
  await expect(openLocal({ name: 'usb', path })).rejects.toMatchObject({ code: 'destination-unreachable' });
  await writeFile(join(path, 'vault.json'), '{}');
  const destination = await openLocal({ name: 'usb', path });
  await unharmed();
  await expect(destination.put('packs/ab/2', Buffer.from('y'))).rejects.toMatchObject({
    code: 'object-damaged',
    message: expect.stringContaining('a link stands in its place'),
  });
  await unharmed();
});

test('H1: a link in the place of a folder is followed by no verb, at any depth', async () => {
  for (const linked of ['packs', 'packs/ab']) {
    const { path, destination, victim, unharmed } = await besideVictim();
    await rm(join(path, linked), { recursive: true });
    await symlink(victim, join(path, linked));
    const damaged = { code: 'object-damaged', message: expect.stringContaining('links are not followed') };
    for (const reused of [destination, await openLocal({ name: 'usb', path })]) {
      await expect(reused.put(`${linked}/2`, Buffer.from('y'))).rejects.toMatchObject(damaged);
      await expect(reused.put(`${linked}/new/2`, Buffer.from('y'))).rejects.toMatchObject(damaged);
      await expect(reused.put(`${linked}/secret`, Buffer.from('root only'))).rejects.toMatchObject(damaged);
      await expect(reused.get(`${linked}/secret`)).rejects.toMatchObject(damaged);
      await expect(reused.stat(`${linked}/secret`)).rejects.toMatchObject(damaged);
      await expect(reused.delete(`${linked}/secret`)).rejects.toMatchObject(damaged);
      await expect(listAll(reused, `${linked}/`)).rejects.toMatchObject(damaged);
      expect(await listAll(reused)).toMatchObject([{ key: linked, instead: 'a link' }]);
    }
    await unharmed();
    expect(await readdir(join(path, '.incoming'))).toEqual([]);
  }
});

test('H1: a link in the place of an object is damage that is named, and never read', async () => {
  const { path, destination, victim, unharmed } = await besideVictim();
  await symlink(join(victim, 'secret'), join(path, 'packs/ab/2'));
  const damaged = { code: 'object-damaged', message: expect.stringContaining('links are not followed') };
  await expect(destination.get('packs/ab/2')).rejects.toMatchObject(damaged);
  await expect(destination.get('packs/ab/2', { offset: 0, length: 1 })).rejects.toMatchObject(damaged);
  await expect(destination.stat('packs/ab/2')).rejects.toMatchObject(damaged);
  await expect(destination.put('packs/ab/2', Buffer.from('root only'))).rejects.toMatchObject({
    code: 'object-exists',
  });
  expect(await listAll(destination, 'packs/')).toMatchObject([
    { key: 'packs/ab/1' },
    { key: 'packs/ab/2', instead: 'a link', sizeBytes: 0 },
  ]);
  await destination.delete('packs/ab/2');
  await unharmed();
});

test('H1: a folder that is exchanged for a link again and again while objects are stored lets none outside', async () => {
  const { path, destination, victim, unharmed } = await besideVictim();
  const script = `
    import { renameSync, symlinkSync } from 'node:fs';
    process.chdir(${JSON.stringify(join(path, 'packs'))});
    symlinkSync(${JSON.stringify(victim)}, 'link');
    console.log('begun');
    for (;;) {
      renameSync('ab', 'away'); renameSync('link', 'ab');
      renameSync('ab', 'link'); renameSync('away', 'ab');
    }`;
  const file = join(await temporaryFolder(), 'exchange.ts');
  await writeFile(file, script);
  await using exchanging = await startProcess(process.execPath, [file]);
  for await (const _ of createInterface({ input: exchanging.stdout })) break;
  let stored = 0;
  for (let n = 0; n < 400; n++) {
    const done = await destination.put(`packs/ab/n${n}`, Buffer.from('x')).then(
      () => 1,
      () => 0,
    );
    await destination.delete('packs/ab/secret').catch(() => {});
    stored += done;
  }
  await exchanging.stop('SIGKILL');
  await unharmed();
  expect(stored).toBeGreaterThan(0);
});

test('the folder itself may be a link: that is the user’s own word', async () => {
  const { path } = await newLocal();
  const alias = join(await temporaryFolder(), 'alias');
  await symlink(path, alias);
  const destination = await openLocal({ name: 'disk', path: alias });
  await destination.put('packs/ab/1', Buffer.from('x'));
  expect(await keysOf(destination)).toEqual(['packs/ab/1']);
});

test('M3: an object that is larger than any of its kind is not read: a sparse file costs nobody’s memory', async () => {
  const { path, destination } = await newLocal();
  for (const [key, size] of [
    ['vault.json', 4097],
    ['snapshots/a/1.json', 3 * 2 ** 30],
    ['packs/ab/1.age', 1500 << 20],
  ] as const) {
    await mkdir(join(path, key, '..'), { recursive: true });
    await writeFile(join(path, key), '');
    await truncate(join(path, key), size);
    await expect(destination.get(key)).rejects.toMatchObject({ code: 'object-damaged' });
  }
});

test('M3: a listing without end is given up', async () => {
  const { path, destination } = await newLocal();
  for (let n = 0; n < 30; n++) await destination.put(`packs/${n}`, Buffer.from('x'));
  const listing = { firstMs: 60_000, namesPerSecond: 100, folderMs: 1000, mostNames: 20 };
  await expect(listAll(await openLocal({ name: 'disk', path, listing }))).rejects.toMatchObject({
    code: 'destination-unreachable',
    message: expect.stringContaining('more than 20 names'),
  });
});
