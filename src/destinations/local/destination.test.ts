import { createHash, randomBytes, randomInt } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { listAll } from '../../../test/suites/destination.suite.ts';
import { smallDisk } from '../../../test/support/small-disk.ts';
import { makeTemporaryFolder, temporaryFolder } from '../../../test/support/temp.ts';
import { runCommand } from '../../process/run.ts';
import { startProcess } from '../../process/start.ts';
import { createLocal, openLocal } from './destination.ts';

const program = join(import.meta.dirname, '../../../test/support/put-until-killed.ts');
const named = (body: Uint8Array) => `packs/${createHash('sha256').update(body).digest('hex')}.age`;
const keysOf = async (destination: Parameters<typeof listAll>[0]) =>
  (await listAll(destination)).map((item) => item.key);

/** A folder that is a destination, with the path that its name stands for. */
async function newLocal() {
  const path = join(await temporaryFolder({ open: true }), 'vault');
  return { path, destination: await createLocal({ name: 'disk', path }) };
}

test('opening what does not exist fails and creates nothing', async () => {
  const path = join(await temporaryFolder(), 'not-mounted');
  await expect(openLocal({ name: 'usb', path })).rejects.toMatchObject({
    code: 'destination-unreachable',
    message: `Destination usb (${path}) cannot be reached: the folder does not exist; its disk may not be mounted.`,
    hint: expect.stringContaining('mounted'),
  });
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the empty mount point of a disk that is not there is no destination', async () => {
  const path = await temporaryFolder();
  await expect(openLocal({ name: 'usb', path })).rejects.toMatchObject({ code: 'destination-unreachable' });
  expect(await readdir(path)).toEqual([]);
});

test('a disk that is unmounted while it is in use is unreachable: nothing is missing, nothing lands below it', async () => {
  const disk = await smallDisk(8);
  const path = join(disk.path, 'vault');
  const inside = await createLocal({ name: 'usb', path });
  const top = await createLocal({ name: 'usb', path: disk.path });
  for (const destination of [inside, top]) await destination.put('packs/1', Buffer.from('x'));
  expect(await keysOf(top)).toEqual(['packs/1', 'vault/packs/1']);
  await disk.unmount();
  const unreachable = { code: 'destination-unreachable' };
  for (const destination of [inside, top]) {
    await expect(destination.put('packs/2', Buffer.from('y'))).rejects.toMatchObject(unreachable);
    await expect(destination.put('packs/1', Buffer.from('x'))).rejects.toMatchObject(unreachable);
    await expect(destination.get('packs/1')).rejects.toMatchObject(unreachable);
    await expect(destination.stat('packs/1')).rejects.toMatchObject(unreachable);
    await expect(listAll(destination)).rejects.toMatchObject(unreachable);
    await expect(destination.delete('packs/1')).rejects.toMatchObject(unreachable);
    await expect(destination.freeBytes()).rejects.toMatchObject(unreachable);
  }
  expect(await readdir(disk.path)).toEqual([]);
});

test('a copy made by hand, without the mark, is a destination by its vault.json', async () => {
  const { path, destination } = await newLocal();
  await destination.put('vault.json', Buffer.from('{}'));
  await rm(join(path, '.incoming'), { recursive: true });
  const copy = await openLocal({ name: 'copy', path });
  await expect(copy.get('packs/1')).rejects.toMatchObject({ code: 'object-missing' });
  await copy.put('packs/1', Buffer.from('x'));
  expect(await keysOf(copy)).toEqual(['packs/1', 'vault.json']);
});

test('a full disk is destination-full at once (Q17), leaves no half object, and works again once there is room', async () => {
  const disk = await smallDisk(8);
  const destination = await createLocal({ name: 'usb', path: disk.path });
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
  expect(await readdir(join(disk.path, '.incoming'))).toEqual([]);
  expect(await destination.freeBytes()).toBeLessThan(700_000);
  await destination.delete(named(bodies[0] as Buffer));
  await destination.put('packs/fits', Buffer.alloc(600_000));
});

test('a disk without inodes left is full, too', async () => {
  const disk = await smallDisk(8, 128);
  const destination = await createLocal({ name: 'usb', path: disk.path });
  await expect(
    (async () => {
      for (let n = 0; ; n++) await destination.put(`many/${n}`, Buffer.from('x'));
    })(),
  ).rejects.toMatchObject({ code: 'destination-full' });
});

test('a read-only disk can be read, and says that it cannot be written', async () => {
  const disk = await smallDisk(8);
  const before = await createLocal({ name: 'usb', path: disk.path });
  await before.put('packs/1', Buffer.from('x'));
  await disk.remount('ro');
  for (const destination of [before, await openLocal({ name: 'usb', path: disk.path })]) {
    const readOnly = { code: 'destination-read-only' };
    await expect(destination.put('packs/2', Buffer.from('y'))).rejects.toMatchObject(readOnly);
    await expect(destination.delete('packs/1')).rejects.toMatchObject(readOnly);
    expect(Buffer.from(await destination.get('packs/1')).toString()).toBe('x');
    expect(await keysOf(destination)).toEqual(['packs/1']);
  }
});

test('what a put has confirmed survives a power cut (A1, Q16)', async () => {
  const disk = await smallDisk(16);
  const path = join(disk.path, 'deep/er/vault');
  const destination = await createLocal({ name: 'usb', path });
  const bodies = [1, 70_000, 1_000_000].map((size) => randomBytes(size));
  for (const body of bodies) {
    await destination.put(named(body), body);
    await destination.put(`snapshots/db${body.length}/day/1.json`, body);
    const survived = await openLocal({ name: 'usb', path: join(await disk.afterPowerCut(), 'deep/er/vault') });
    expect(Buffer.compare(await survived.get(named(body)), body)).toBe(0);
    expect(Buffer.compare(await survived.get(`snapshots/db${body.length}/day/1.json`), body)).toBe(0);
  }
  await destination.delete(named(bodies[0] as Buffer));
  const survived = await openLocal({ name: 'usb', path: join(await disk.afterPowerCut(), 'deep/er/vault') });
  await expect(survived.stat(named(bodies[0] as Buffer))).rejects.toMatchObject({ code: 'object-missing' });
});

test('kill -9 in the middle of writing leaves whole objects, all that were confirmed, and no litter', async () => {
  let interrupted = 0;
  const oneRun = async () => {
    await using folder = await makeTemporaryFolder();
    await createLocal({ name: 'disk', path: folder.path });
    await using child = await startProcess(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      program,
      folder.path,
    ]);
    const confirmed: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.length === 64) confirmed.push(line);
      if (confirmed.length === 1) void sleep(randomInt(25)).then(() => child.stop('SIGKILL'));
    }
    await child.ended;
    interrupted += (await readdir(join(folder.path, '.incoming'))).length > 0 ? 1 : 0;
    const destination = await openLocal({ name: 'disk', path: folder.path });
    const keys = await keysOf(destination);
    await destination.put('packs/next', Buffer.from('x'));
    expect(await readdir(join(folder.path, '.incoming'))).toEqual([]);
    for (const key of keys) {
      const sha256 = createHash('sha256')
        .update(await destination.get(key))
        .digest('hex');
      expect(key).toBe(`packs/${sha256.slice(0, 2)}/${sha256}.age`);
    }
    expect(keys).toEqual(
      expect.arrayContaining(confirmed.map((sha256) => `packs/${sha256.slice(0, 2)}/${sha256}.age`)),
    );
  };
  for (let run = 0; run < 100; run += 2) await Promise.all([oneRun(), oneRun()]);
  expect(interrupted).toBeGreaterThan(20);
});

test('half-written objects of living writers, and of other hosts since less than a day, stay', async () => {
  const { path } = await newLocal();
  const ours = await incomingOfPut(path);
  const incoming = join(path, '.incoming');
  const [host, pid, start] = ours.split('-') as [string, string, string];
  const dead = `${host}-${2 ** 22 + 1}-1-${'a'.repeat(16)}`;
  const reused = `${host}-${pid}-1${start}-${'a'.repeat(16)}`;
  const elsewhere = '0123456789ab-7-1-aaaaaaaaaaaaaaaa';
  const forgotten = '0123456789ab-8-1-aaaaaaaaaaaaaaaa';
  const unseen = `${host}-${pid}-unknown-${'a'.repeat(16)}`;
  for (const name of [ours, dead, `${dead}.more`, reused, unseen, elsewhere, forgotten, 'odd'])
    await writeFile(join(incoming, name), 'half');
  const longAgo = Date.now() / 1000 - 90_000;
  await utimes(join(incoming, forgotten), longAgo, longAgo);
  const all = await readdir(incoming);
  const reader = await openLocal({ name: 'disk', path });
  await listAll(reader);
  await reader.get('packs/1', { offset: 0, length: 1 });
  expect(await readdir(incoming), 'who only reads removes nothing').toEqual(all);
  await reader.put('packs/2', Buffer.from('x'));
  expect((await readdir(incoming)).sort()).toEqual([ours, unseen, elsewhere, 'odd', `${dead}.more`].sort());
});

/** The name that a put of this process uses, seen while it writes. */
async function incomingOfPut(path: string): Promise<string> {
  const destination = await openLocal({ name: 'disk', path });
  const putting = destination.put('packs/1', Buffer.alloc(64 << 20));
  let seen: string | undefined;
  while (seen === undefined) [seen] = await readdir(join(path, '.incoming'));
  expect(await keysOf(destination)).toEqual([]);
  await putting;
  return seen;
}

test('of many processes that write one key exactly one wins', async () => {
  const { path, destination } = await newLocal();
  const folder = await temporaryFolder();
  const script = `
    import { existsSync, writeFileSync } from 'node:fs';
    import { openLocal } from ${JSON.stringify(join(import.meta.dirname, 'destination.ts'))};
    const us = process.argv[2];
    const destination = await openLocal({ name: 'disk', path: ${JSON.stringify(path)} });
    writeFileSync(\`${folder}/ready\${us}\`, '');
    while (![1, 2, 3].every((n) => existsSync(\`${folder}/ready\${n}\`)));
    for (let n = 0; n < 100; n++) {
      await destination.put(\`race/\${n}\`, Buffer.alloc(5000, us)).then(() => console.log(n), (error) => {
        if (error.code !== 'object-exists') throw error;
      });
    }`;
  const file = join(folder, 'racer.ts');
  await writeFile(file, script);
  const racers = await Promise.all([1, 2, 3].map((us) => runCommand(process.execPath, [file, `${us}`])));
  const winners = new Map<string, number[]>();
  for (const [index, { stdout }] of racers.entries()) {
    for (const won of stdout.toString().split('\n').slice(0, -1)) {
      winners.set(won, [...(winners.get(won) ?? []), index + 1]);
    }
  }
  expect(winners.size).toBe(100);
  for (const [won, us] of winners) {
    expect(us).toHaveLength(1);
    expect(Buffer.from(await destination.get(`race/${won}`)).toString()).toBe(`${us}`.repeat(5000));
  }
});

test('folders and objects are for their owner only', async () => {
  const { path, destination } = await newLocal();
  await destination.put('packs/aa/1', Buffer.from('x'));
  const modes = ['', '.incoming', 'packs', 'packs/aa', 'packs/aa/1'].map(
    async (name) => (await stat(join(path, name))).mode & 0o777,
  );
  expect(await Promise.all(modes)).toEqual([0o700, 0o700, 0o700, 0o700, 0o600]);
});

test('a folder that belongs to someone else is destination-denied', async () => {
  const { path, destination } = await newLocal();
  await destination.put('packs/1', Buffer.from('x'));
  await chmod(path, 0o755);
  await becomeNobody(async () => {
    const denied = { code: 'destination-denied', message: expect.stringContaining('permission denied') };
    await expect(destination.put('packs/2', Buffer.from('x'))).rejects.toMatchObject(denied);
    await expect(destination.get('packs/1')).rejects.toMatchObject(denied);
    await expect(listAll(destination)).rejects.toMatchObject(denied);
  });
});

/** Does `work` without root's right to pass by permissions. */
async function becomeNobody(work: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('This test changes its user: run the tests as root.');
  process.seteuid?.(65534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}

test('a path that is a file, or lies below one, is no destination', async () => {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(file, 'x');
  await expect(openLocal({ name: 'usb', path: file })).rejects.toMatchObject({ code: 'destination-unreachable' });
  await expect(createLocal({ name: 'usb', path: join(file, 'vault') })).rejects.toMatchObject({
    code: 'destination-denied',
  });
});

test('strangers in the folder are not objects', async () => {
  const { path, destination } = await newLocal();
  await destination.put('packs/1', Buffer.from('x'));
  await mkdir(join(path, 'lost+found'), { mode: 0 });
  await writeFile(join(path, '.DS_Store'), 'x');
  await writeFile(join(path, 'packs', 'read me.txt'), 'x');
  await runCommand('mkfifo', [join(path, 'packs', 'pipe')]);
  expect(await listAll(destination)).toMatchObject([
    { key: 'packs/1' },
    { key: 'packs/pipe', instead: 'no regular file' },
  ]);
  await expect(destination.get('packs/pipe')).rejects.toMatchObject({ code: 'object-damaged' });
  await expect(destination.put('packs/pipe', Buffer.from('x'))).rejects.toMatchObject({ code: 'object-exists' });
  await expect(destination.put('packs', Buffer.from('x'))).rejects.toMatchObject({ code: 'destination-denied' });
  await expect(destination.put('packs/1/2', Buffer.from('x'))).rejects.toMatchObject({ code: 'destination-denied' });
});

test('a folder that lies on another file system cannot be written, and says so', async () => {
  const { path, destination } = await newLocal();
  const disk = await smallDisk(8);
  await mkdir(join(path, 'packs'));
  await runCommand('mount', ['--bind', disk.path, join(path, 'packs')]);
  onTestFinished(async () => void (await runCommand('umount', [join(path, 'packs')])));
  await expect(destination.put('packs/1', Buffer.from('x'))).rejects.toMatchObject({
    code: 'destination-denied',
    message: expect.stringContaining('a folder in it lies on another file system'),
  });
  expect(await readdir(join(path, '.incoming'))).toEqual([]);
});

test('an object that was cut short or garbled on the disk is object-exists for a writer and stays as it is', async () => {
  const { path, destination } = await newLocal();
  await destination.put('packs/1', Buffer.from('whole'));
  for (const damaged of ['who', 'whale', 'whole and more', '']) {
    await chmod(join(path, 'packs/1'), 0o600);
    await writeFile(join(path, 'packs/1'), damaged);
    await expect(destination.put('packs/1', Buffer.from('whole'))).rejects.toMatchObject({ code: 'object-exists' });
    expect(await readFile(join(path, 'packs/1'), 'utf8')).toBe(damaged);
  }
});

test('a put that is aborted on the way leaves nothing', async () => {
  const { path, destination } = await newLocal();
  const stop = new AbortController();
  const putting = destination.put('packs/1', Buffer.alloc(96 << 20), { signal: stop.signal });
  while ((await readdir(join(path, '.incoming'))).length === 0);
  stop.abort(new Error('the user said stop'));
  await expect(putting).rejects.toThrow('the user said stop');
  expect(await readdir(join(path, '.incoming'))).toEqual([]);
  expect(await keysOf(destination)).toEqual([]);
});
