import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../examples/harbor/random.ts';
import { openAll } from '../../src/vault/age/stream.ts';
import { openVault } from '../../src/vault/open.ts';
import { type Picture, pictureOf } from '../support/pictures.ts';
import type { TestSystem } from '../support/system.ts';
import { smallTree } from '../support/trees.ts';
import { aSystem, expectSame, keptCopy, noise, objectsIn } from '../support/vault.ts';

let system: TestSystem;
let history: { id: string; picture: Picture }[];

beforeEach(async () => {
  system = await aSystem();
  smallTree(system.source());
  // A file that changed a moment ago is read again next time, whatever the cache says.
  await sleep(80);
  history = [];
  await take();
});

async function take() {
  const picture = pictureOf(system.source());
  const backedUp = await system.backUp();
  history.push({ id: backedUp.record.id, picture });
  return backedUp;
}

async function expectAllWhole(): Promise<void> {
  for (const { id, picture } of history) expectSame(await system.readBack(id), picture);
  expect(await system.verify()).toMatchObject({ sound: true, findings: [], suspect: [] });
}

const state = (name: string) => join(system.config.stateDir, name);

describe('the state of the writing host is lost', () => {
  test('index removed: it is made again from the vault, and nothing is sent twice', async () => {
    rmSync(state('index.sqlite'));
    const { record, unchangedFiles } = await take();
    expect(record.sizes.added).toBe(0);
    expect(unchangedFiles).toBe(7);
    expect(record.previous).not.toBeNull();
    await expectAllWhole();
  });

  test('index and list of unchanged files removed: everything is read, nothing is sent', async () => {
    rmSync(state('index.sqlite'));
    rmSync(state('trees'), { recursive: true });
    const { record, unchangedFiles } = await take();
    expect(record.sizes.added).toBe(0);
    expect(unchangedFiles).toBe(0);
    await expectAllWhole();
  });

  test('index damaged anywhere: the next restore point is whole', async () => {
    const random = seededRandom(11);
    const sound = readFileSync(state('index.sqlite'));
    for (let place = 0; place < 16; place++) {
      const damaged = Buffer.from(sound);
      for (let at = 0; at < 8; at++) damaged[random.between(0, damaged.length - 1)]! ^= 1 << random.between(0, 7);
      writeFileSync(state('index.sqlite'), damaged);
      writeFileSync(`${system.source()}/new`, noise(30_000));
      // What cannot be used may stop one backup, with a code, and not the next.
      await take().catch(async (error: unknown) => {
        expect(error).toMatchObject({ code: 'index-cache-damaged' });
        await take();
      });
      expectSame(await system.readBack(history.at(-1)!.id), history.at(-1)!.picture);
    }
    rmSync(state('index.sqlite'));
    await take();
    await expectAllWhole();
  });

  for (const [what, spoil] of [
    ['cut short', (file: string) => truncateSync(file, 3000)],
    ['no database', (file: string) => writeFileSync(file, 'no database')],
    ['empty', (file: string) => truncateSync(file, 0)],
  ] as const) {
    test(`index ${what}: it is put aside and made again`, async () => {
      spoil(state('index.sqlite'));
      const { record } = await take();
      expect(record.sizes.added).toBe(0);
      await expectAllWhole();
    });
  }

  test('list of unchanged files removed, damaged, cut short: files are read again', async () => {
    const file = state('trees/uploads');
    const spoils = [
      () => rmSync(file),
      () => writeFileSync(file, 'rubbish'),
      () => truncateSync(file, statSync(file).size - 5),
      () => truncateSync(file, 30),
    ];
    for (const spoil of spoils) {
      spoil();
      const { record, unchangedFiles } = await take();
      expect(unchangedFiles).toBe(0);
      expect(record.sizes.added).toBe(0);
    }
    await expectAllWhole();
  });

  test('everything removed: a new writer sends everything, and all restore points stay', async () => {
    rmSync(system.config.stateDir, { recursive: true });
    const { record } = await take();
    const [first] = await system.points();
    expect(record.vault).toBe(first!.record.vault);
    expect(record.writer).not.toBe(first!.record.writer);
    expect(record.sizes.added).toBeGreaterThan(300_000);
    await expectAllWhole();
    // verify-false-damage: without a key this host opens its own index, and another writer's not being open is no damage.
    expect(await system.verify({}, [])).toMatchObject({ sound: true, findings: [] });
  });

  test('set back to an older one: nothing is lost, and its chain goes on', async () => {
    const older = await keptCopy(system.config.stateDir);
    for (const name of ['a', 'b']) {
      writeFileSync(`${system.source()}/${name}`, noise(100_000));
      await take();
    }
    rmSync(system.config.stateDir, { recursive: true });
    cpSync(older, system.config.stateDir, { recursive: true });
    const { record } = await take();
    await take();
    await expectAllWhole();
    // 4.14: it went on from the newest that is stored, and nobody doubts what came after.
    expect(record.sequence).toBe(4);
    expect((await system.points()).flatMap(({ doubts }) => doubts)).toEqual([]);
  });

  test('keys damaged: a code says what to do, and following it works', async () => {
    writeFileSync(state('writer.json'), '{}');
    await expect(system.backUp()).rejects.toMatchObject({ code: 'writer-keys-damaged' });
    renameSync(state('writer.json'), state('writer.json.away'));
    await take();
    await expectAllWhole();
  });
});

describe('whoever has the writing host and the vault, and no identity', () => {
  const marker = 'Geheimnis-4711';

  test('finds no content, no name and no key to any pack or manifest', async () => {
    writeFileSync(`${system.source()}/${marker}.txt`, `${marker}\n`.repeat(5000));
    await take();
    await take();
    const files = filesIn(system.config.stateDir);
    const secrets = [...files.values()].flatMap(
      (bytes) => bytes.toString('latin1').match(/AGE-SECRET-KEY-1[0-9A-Z]+/g) ?? [],
    );
    expect(secrets.length).toBeGreaterThan(0);
    let tried = 0;
    for (const [key, bytes] of objectsIn(system.at())) {
      expect(bytes.includes(marker), key).toBe(false);
      if (!/^(packs|manifests)\//.test(key)) continue;
      tried++;
      await expect(openAll(bytes, secrets)).rejects.toMatchObject({ code: 'no-identity-fits' });
    }
    expect(tried).toBeGreaterThan(5);
    using open = system.open();
    const vault = await openVault((await open.destinations({ create: false })).opened);
    const { points } = await vault.pointsOfAll();
    for (const point of points)
      await expect(vault.open(point, secrets)).rejects.toMatchObject({ code: 'no-identity-fits' });
  });

  test('finds names and sizes in the list of unchanged files, and no content, also with the disk as it is', async () => {
    writeFileSync(`${system.source()}/${marker}.txt`, 'Inhalt-0815\n'.repeat(5000));
    await sleep(80);
    await take();
    await take();
    for (const [name, bytes] of filesIn(system.config.stateDir)) {
      const text = bytes.toString('latin1') + decompressed(bytes);
      expect(text.includes('Inhalt-0815'), name).toBe(false);
      // This is the price of not reading unchanged files, on the host that has those files anyway.
      if (text.includes(marker)) expect(name).toMatch(/^trees\//);
    }
  });
});

function filesIn(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.map((name) => [name.slice(folder.length + 1), readFileSync(name)]));
}

/** What zstd frames after any header hold, by the tool that anybody has. */
function decompressed(bytes: Buffer): string {
  const at = bytes.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
  if (at < 0) return '';
  try {
    return execFileSync('zstd', ['-d', '-q', '-c'], { input: bytes.subarray(at), stdio: 'pipe' }).toString('latin1');
  } catch (error) {
    return (error as { stdout: Buffer }).stdout.toString('latin1');
  }
}
