import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { Entry } from '../../src/core/entry.ts';
import { startRun } from '../../src/core/run.ts';
import { newUlid, ulidTime } from '../../src/core/ulid.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { withFaults } from '../../src/destinations/wrap/fault.ts';
import { isIncomplete } from '../../src/operations/backup.ts';
import { usualPackSizes } from '../../src/vault/write/packing.ts';
import { planWriter } from '../../src/vault/writer/keys.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import { smallTree } from '../support/trees.ts';
import { abortWhen, aSystem, clockOff, expectSame, noise, objectsIn } from '../support/vault.ts';

const day = 86_400_000;

describe('the circumstances of a backup', () => {
  test('a clock set back and forth loses nothing and tells', async () => {
    const system = await aSystem();
    smallTree(system.source());
    const history: { id: string; picture: Picture }[] = [];
    const offsets = [0, -3 * day, 400 * day, 0, -1000 * day];
    for (const offMs of offsets) {
      writeFileSync(`${system.source()}/now`, noise(5000));
      const picture = pictureOf(system.source());
      const { record, problems } = await system.backUp({ clock: clockOff(offMs) });
      const isBack = history.length > 0 && offMs < offsets[history.length - 1]!;
      expect(problems.map(({ code }) => code)).toEqual(isBack ? ['clock-set-back'] : []);
      history.push({ id: record.id, picture });
    }
    for (const { id, picture } of history) expectSame(await system.readBack(id), picture);
    expect(await system.verify()).toMatchObject({ sound: true, suspect: [] });
  });

  test('files-02: no vault is made under a clock that runs ahead of its store’s, and one is once it is right', async () => {
    const system = await aSystem();
    smallTree(system.source());
    await expect(system.backUp({ clock: clockOff(40 * day) })).rejects.toMatchObject({ code: 'clock-ahead' });
    expect(objectsIn(system.at()).size).toBe(0);
    // As init does it, under the same clock.
    const file = join(system.config.stateDir, 'writer.json');
    await planWriter(file, newUlid(Date.now() + 40 * day, randomBytes), randomBytes);
    const { record } = await system.backUp();
    expect(ulidTime(record.vault)).toBeLessThanOrEqual(Date.now());
    expect((await system.points()).flatMap(({ doubts }) => doubts)).toEqual([]);
  });

  test('a dataset that vanished does not keep the other from its backup', async () => {
    const system = await aSystem({ datasets: ['gone', 'uploads'] });
    smallTree(system.source('gone'));
    smallTree(system.source('uploads'));
    await system.backUp();
    rmSync(system.source('gone'), { recursive: true });
    writeFileSync(`${system.source('uploads')}/new`, noise(5000));
    const { backedUp, failed } = await system.tryBackUp();
    expect(failed).toMatchObject([{ dataset: 'gone', error: { code: 'dataset-vanished', exit: 2 } }]);
    expect(backedUp).toMatchObject([{ dataset: 'uploads' }]);
    expectSame(pictureOf(await system.restore({ dataset: 'uploads' })), pictureOf(system.source('uploads')));
    expect((await readdir(await system.restore({ dataset: 'gone' }))).length).toBeGreaterThan(3);
  });

  test('a dataset that fails in its middle leaves the other whole, and what it sent is used again', async () => {
    const system = await aSystem({ datasets: ['first', 'second'] });
    for (const name of ['first', 'second']) smallTree(system.source(name));
    const wrap = (destination: Destination) =>
      withFaults(destination, [
        { kind: 'error-before', verb: 'put', key: /^snapshots\/[^/]+\/first/, error: new Error('a bug') },
      ]);
    const first = await system.tryBackUp({ wrap }).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(Error);
    const { backedUp } = await system.tryBackUp();
    expect(backedUp.map(({ record }) => record.sizes.added)).toEqual([0, 0]);
    expect((await system.verify()).sound).toBe(true);
  });

  test.for([
    ['vanishes', 'vanishes'],
    ['cannot be read', 'socket'],
  ])(
    'a file that %s is left out, its other names too where they cannot be read, and the rest is restored',
    async ([, how]) => {
      const system = await aSystem();
      smallTree(system.source());
      writeFileSync(`${system.source()}/a`, noise(1000));
      linkSync(`${system.source()}/a`, `${system.source()}/z`);
      await using server = createServer().listen(`${system.folder}/socket`);
      async function* entries(all: AsyncIterable<Entry>): AsyncGenerator<Entry> {
        for await (const entry of all) {
          // Nothing but a socket is unreadable for root too.
          const spoilt = entry.path === 'a' && entry.type === 'file';
          if (spoilt && how === 'vanishes') rmSync(`${system.source()}/a`);
          if (spoilt && how === 'socket')
            yield { ...entry, content: { from: 'file', file: `${system.folder}/socket` } };
          else yield entry;
        }
      }
      const { record, problems } = await system.backUp({ entries });
      server.unref();
      // What is gone was deleted; its other name is there, and is read.
      const isGone = how === 'vanishes';
      if (!isGone) expect(problems.map(({ message }) => message.slice(0, 20))).toContain('z was not backed up:');
      expect(problems.map(({ code }) => code)).toEqual(problems.map(() => 'file-unreadable'));
      expect(isIncomplete(problems)).toBe(!isGone);
      const folder = await system.restore({ id: record.id });
      const names = await readdir(folder);
      expect(names).toContain('twin.pdf');
      expect(names).not.toContain('a');
      expect(names.includes('z')).toBe(isGone);
      if (isGone) expect(readFileSync(`${folder}/z`).equals(readFileSync(`${system.source()}/z`))).toBe(true);
      // What a drill expects of the restored folder is what is really in the vault.
      using open = system.open();
      const vault = await open.vault(() => {});
      const [point] = (await vault.pointsOfAll()).points;
      const { expectations } = await vault.open(point!, [system.identity]);
      const source = await open.source('uploads');
      const { actual } = await source.measure(folder, expectations!, startRun({ clock: systemClock }));
      expect(actual).toEqual(expectations);
    },
  );

  test('files/05: other names of a file whose first is replaced before it is read keep their own bytes, and rights are of the bytes', async () => {
    const system = await aSystem();
    const at = (name: string) => `${system.source()}/${name}`;
    const [small, large] = [noise(1000), noise(6 << 20)];
    for (const [name, bytes] of [
      ['a', small],
      ['large', large],
    ] as const) {
      writeFileSync(at(name), bytes);
      for (const more of ['z1', 'z2']) linkSync(at(name), at(`${name}${more}`));
    }
    writeFileSync(at('config'), 'public', { mode: 0o644 });
    let listed = false;
    async function* entries(all: AsyncIterable<Entry>): AsyncGenerator<Entry> {
      for await (const entry of all) {
        if (!listed) {
          for (const name of ['a', 'large']) {
            writeFileSync(at('new'), `another ${name}`);
            renameSync(at('new'), at(name));
          }
          writeFileSync(at('new'), 'secret', { mode: 0o600 });
          renameSync(at('new'), at('config'));
        }
        listed = true;
        yield entry;
      }
    }
    const { record, problems } = await system.backUp({ entries });
    expect(problems).toEqual([]);
    const folder = await system.restore({ id: record.id });
    for (const [name, bytes] of [
      ['a', small],
      ['large', large],
    ] as const) {
      expect(readFileSync(`${folder}/${name}`, 'utf8')).toBe(`another ${name}`);
      for (const more of ['z1', 'z2']) expect(readFileSync(`${folder}/${name}${more}`).equals(bytes)).toBe(true);
    }
    expect(readFileSync(`${folder}/config`, 'utf8')).toBe('secret');
    expect(statSync(`${folder}/config`).mode & 0o777).toBe(0o600);
  });

  test('large files before many entries, again and again, do not stop the backup', async () => {
    const system = await aSystem({ packSizes: usualPackSizes });
    writeFileSync(`${system.source()}/0`, 'first');
    async function* entries(all: AsyncIterable<Entry>): AsyncGenerator<Entry> {
      for await (const entry of all) {
        if (entry.type !== 'file') continue;
        for (let number = 100_000; number < 200_000; number++) {
          const common = { path: `${number}`, mode: 0o700, uid: 0, gid: 0, mtimeNs: 0n };
          // One is still being read when the list of what waits for it is as long as it may be.
          const file = `${system.folder}/${number}`;
          if (number % 25_000 === 0) writeFileSync(file, noise(20 << 20));
          if (number % 25_000 === 0)
            yield { ...common, type: 'file', sizeBytes: 20 << 20, content: { from: 'file', file } };
          else yield { ...common, type: 'folder' };
        }
      }
    }
    const { sizes } = await system.backUp({ entries });
    expect(sizes.entries).toBe(100_000);
  });

  test('a file that changes while it is read is reported, and restores as one state of it', async () => {
    const system = await aSystem({ packSizes: { data: 4 << 20, meta: 1 << 20 } });
    const path = `${system.source()}/log`;
    writeFileSync(path, noise(48 << 20));
    const file = openSync(path, 'r+');
    let stop = false;
    const writing = (async () => {
      for (let at = 0; !stop; at++) {
        writeSync(file, noise(4096), 0, 4096, (at * 7_654_321) % (40 << 20));
        if (at % 50 === 0) ftruncateSync(file, (44 << 20) + (at % 7));
        await sleep(1);
      }
    })();
    try {
      const { record, problems } = await system.backUp();
      expect(problems).toMatchObject([{ code: 'file-changed', message: 'log changed while it was read.' }]);
      expect(isIncomplete(problems)).toBe(false);
      const folder = await system.restore({ id: record.id });
      expect(readFileSync(`${folder}/log`).length).toBeGreaterThan(40 << 20);
    } finally {
      stop = true;
      await writing;
      closeSync(file);
    }
    // It is not taken for unchanged next time.
    const { record } = await system.backUp();
    expectSame(await system.readBack(record.id), pictureOf(system.source()));
  });

  test('a second backup at the same time is refused, and the first one goes on', async () => {
    const system = await aSystem();
    smallTree(system.source());
    let second: Promise<unknown> | undefined;
    const { record } = await system.backUp({
      onEvent(event) {
        if (event.type === 'step-started' && event.step.endsWith('store'))
          second ??= system.backUp().catch((error) => error);
      },
    });
    expect(await second).toMatchObject({ code: 'backup-running', exit: 2 });
    expectSame(await system.readBack(record.id), pictureOf(system.source()));
    await system.backUp();
  });

  test('an empty dataset and one with nothing but folders come back', async () => {
    const system = await aSystem();
    const empty = await system.backUp();
    mkdirSync(`${system.source()}/a/b/c`, { recursive: true });
    chmodSync(`${system.source()}/a/b`, 0o500);
    const folders = await system.backUp();
    expect((await system.readBack(empty.record.id)).size).toBe(0);
    expectSame(pictureOf(await system.restore({ id: folders.record.id })), pictureOf(system.source()));
    expect(await readdir(await system.restore({ id: empty.record.id }))).toEqual([]);
    chmodSync(`${system.source()}/a/b`, 0o700);
  });
});

describe('an interrupted backup', () => {
  const moments: [string, (step: string, type: string) => boolean][] = [
    ['while it opens', (step) => step === 'catch up'],
    ['while it captures', (step) => step.endsWith('capture')],
    ['while it stores', (step, type) => step.endsWith('store') && type === 'progress'],
    ['while it commits', (step) => step.endsWith('commit')],
  ];
  for (const [when, fits] of moments) {
    test(`${when} ends soon, leaves nothing half, and the next one succeeds`, async () => {
      const system = await aSystem();
      smallTree(system.source());
      await system.backUp();
      for (let file = 0; file < 600; file++) writeFileSync(`${system.source()}/new${file}`, noise(20_000));
      const doing = abortWhen((event) => event.type !== 'problem' && fits(event.step, event.type));
      await expect(system.backUp(doing)).rejects.toMatchObject({ name: 'AbortError' });
      expect(doing.abortedMs()).toBeLessThan(2000);
      expect((await system.points()).length).toBe(1);
      expect((await system.verify()).sound).toBe(true);
      const { record } = await system.backUp();
      expectSame(await system.readBack(record.id), pictureOf(system.source()));
    });
  }

  test('also where a destination hangs', async () => {
    const system = await aSystem({ destinations: ['disk', 'nas'] });
    smallTree(system.source());
    await system.backUp();
    writeFileSync(`${system.source()}/new`, noise(200_000));
    const wrap = (destination: Destination) =>
      destination.name === 'nas'
        ? withFaults(destination, [{ kind: 'hang', verb: 'put', key: /^packs/ }])
        : destination;
    const doing = abortWhen((event) => event.type === 'step-started' && event.step.endsWith('store'));
    const wait = sleep(300);
    await expect(system.backUp({ ...doing, wrap })).rejects.toMatchObject({ name: 'AbortError' });
    await wait;
    await system.backUp();
    expect((await system.verify()).sound).toBe(true);
  });
});
