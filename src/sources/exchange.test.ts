import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { remainsIn } from '../../test/support/tree.ts';
import { ourTag } from '../host/identity.ts';
import { keptOld, openWorkFolder, refuseHalfExchanged } from './exchange.ts';
import { makeFolders } from './make-folders.ts';

const deadOwner = '999999999-1';
const isRoot = process.getuid?.() === 0;

function read(path: string): Record<string, string> {
  const names = fs.readdirSync(path).sort();
  return Object.fromEntries(names.map((name) => [name, fs.readFileSync(join(path, name), 'utf8')]));
}

async function twoFiles() {
  const place = await temporaryFolder();
  fs.writeFileSync(join(place, 'a'), 'old a');
  fs.writeFileSync(join(place, 'b'), 'old b');
  return place;
}

test('everything is new afterwards, and what was only there before is gone', async () => {
  const place = await twoFiles();
  {
    await using work = await openWorkFolder(place, 'here');
    fs.writeFileSync(join(work.fresh, 'a'), 'new a');
    fs.writeFileSync(join(work.fresh, 'c'), 'new c');
    await work.exchange([
      { to: join(place, 'a'), from: join(work.fresh, 'a') },
      { to: join(place, 'b') },
      { to: join(place, 'c'), from: join(work.fresh, 'c') },
    ]);
  }
  expect(read(place)).toEqual({ a: 'new a', c: 'new c' });
});

test('a move that fails takes back those before it', async () => {
  const place = await twoFiles();
  {
    await using work = await openWorkFolder(place, 'here');
    fs.writeFileSync(join(work.fresh, 'a'), 'new a');
    fs.writeFileSync(join(work.fresh, 'c'), 'new c');
    const exchanging = work.exchange([
      { to: join(place, 'a'), from: join(work.fresh, 'a') },
      { to: join(place, 'c'), from: join(work.fresh, 'c') },
      { to: join(place, 'b') },
      { to: join(place, 'no/such/folder'), from: join(work.fresh, 'missing') },
    ]);
    await expect(exchanging).rejects.toThrow('ENOENT');
  }
  expect(read(place)).toEqual({ a: 'old a', b: 'old b' });
});

describe('a crash after any number of steps', () => {
  const steps = ['old a out', 'new a in', 'old b out', 'new c in'] as const;

  test.each([0, 1, 2, 3, 4])('%i: the next restore finds what was there before', async (done) => {
    const place = await twoFiles();
    const work = join(place, `.lifeboat-restoring-here.${deadOwner}`);
    fs.mkdirSync(work, { mode: 0o700 });
    fs.mkdirSync(join(work, 'new'));
    fs.mkdirSync(join(work, 'old'));
    fs.writeFileSync(join(work, 'new/a'), 'new a');
    fs.writeFileSync(join(work, 'new/c'), 'new c');
    const moves = [
      { to: 'a', from: 'a', replaces: true },
      { to: 'b', replaces: true },
      { to: 'c', from: 'c', replaces: false },
    ];
    fs.writeFileSync(join(work, 'journal'), JSON.stringify({ work, moves }));
    const make = {
      'old a out': () => fs.renameSync(join(place, 'a'), join(work, 'old/0')),
      'new a in': () => fs.renameSync(join(work, 'new/a'), join(place, 'a')),
      'old b out': () => fs.renameSync(join(place, 'b'), join(work, 'old/1')),
      'new c in': () => fs.renameSync(join(work, 'new/c'), join(place, 'c')),
    };
    for (const step of steps.slice(0, done)) make[step]();
    await (await openWorkFolder(place, 'here'))[Symbol.asyncDispose]();
    expect(read(place)).toEqual({ a: 'old a', b: 'old b' });
  });

  test('after the last, what is new stays', async () => {
    const place = await twoFiles();
    const work = join(place, `.lifeboat-restoring-here.${deadOwner}`);
    fs.mkdirSync(work, { mode: 0o700 });
    fs.mkdirSync(join(work, 'old'));
    fs.renameSync(join(place, 'b'), join(work, 'old/0'));
    fs.writeFileSync(join(work, 'committed'), JSON.stringify({ work, moves: [{ to: 'b', replaces: true }] }));
    await (await openWorkFolder(place, 'here'))[Symbol.asyncDispose]();
    expect(read(place)).toEqual({ a: 'old a' });
  });

  test('with something new in the way, nothing is lost and the way back is named', async () => {
    const place = await twoFiles();
    const work = join(place, `.lifeboat-restoring-a.${deadOwner}`);
    fs.mkdirSync(work, { mode: 0o700 });
    fs.mkdirSync(join(work, 'old'));
    fs.mkdirSync(join(work, 'new'));
    fs.writeFileSync(join(work, 'new/a'), 'new a');
    fs.renameSync(join(place, 'a'), join(work, 'old/0'));
    const moves = [{ to: 'a', from: 'a', replaces: true }];
    fs.writeFileSync(join(work, 'journal'), JSON.stringify({ work, moves }));
    expect(await keptOld(join(place, 'a'))).toBe(join(work, 'old/0'));
    fs.writeFileSync(join(place, 'a'), 'made by the application meanwhile');
    await expect(openWorkFolder(place, 'a')).rejects.toMatchObject({
      code: 'restore-interrupted',
      message: expect.stringContaining(join(work, 'old/0')),
    });
    expect(fs.readFileSync(join(work, 'old/0'), 'utf8')).toBe('old a');
    expect(fs.readFileSync(join(place, 'a'), 'utf8')).toBe('made by the application meanwhile');
  });
});

describe('H5: a work folder that a restore of ours did not make', () => {
  const name = `.lifeboat-restoring-a.${deadOwner}`;

  async function planted(journal: (place: string) => unknown) {
    const place = await twoFiles();
    const work = join(place, name);
    fs.mkdirSync(work, { mode: 0o700 });
    for (const part of ['old', 'new']) fs.mkdirSync(join(work, part));
    fs.writeFileSync(join(work, 'old/0'), 'planted');
    fs.writeFileSync(join(work, 'journal'), JSON.stringify(journal(place)));
    return { place, work };
  }
  const with1 = (move: object) => (place: string) => ({
    work: join(place, name),
    moves: [{ replaces: true, ...move }],
  });

  test.each<[string, (place: string) => unknown]>([
    ['absolute paths', (place) => [{ to: join(place, 'c'), from: join(place, 'none'), replaces: true }]],
    ['a way out of the folder', with1({ to: '../b', from: 'none' })],
    ['a way out of the work folder', with1({ to: 'c', from: '../c' })],
    ['another folder', () => ({ work: '/elsewhere', moves: [{ to: 'c', replaces: true }] })],
    ['no form', () => 'journal'],
  ])('is refused with a journal of %s, and nothing is moved by it', async (_what, journal) => {
    const { place, work } = await planted(journal);
    await expect(openWorkFolder(place, 'a')).rejects.toMatchObject({ code: 'restore-work-folder-foreign' });
    expect(fs.readdirSync(place).sort()).toEqual([name, 'a', 'b']);
    expect(fs.readFileSync(join(work, 'old/0'), 'utf8')).toBe('planted');
  });

  const changes: [string, (work: string, place: string) => void][] = [
    ['others may enter it', (work) => fs.chmodSync(work, 0o755)],
    ['it holds what no restore makes', (work) => fs.writeFileSync(join(work, 'precious'), '')],
    [
      'it is a link',
      (work, place) => {
        fs.renameSync(work, join(place, 'moved'));
        fs.symlinkSync(join(place, 'moved'), work);
      },
    ],
    [
      'it is a file',
      (work) => {
        fs.rmSync(work, { recursive: true });
        fs.writeFileSync(work, '');
      },
    ],
  ];
  if (isRoot) changes.push(['it belongs to another user', (work) => fs.chownSync(work, 65_534, 65_534)]);
  test.each(changes)('is refused when %s', async (_what, change) => {
    const { place, work } = await planted(with1({ to: 'c' }));
    change(work, place);
    const before = fs.readdirSync(place).sort();
    await expect(openWorkFolder(place, 'a')).rejects.toMatchObject({ code: 'restore-work-folder-foreign' });
    expect(fs.readdirSync(place).sort()).toEqual(before);
  });

  test.runIf(isRoot)('stops no backup when another user put it there', async () => {
    const place = await twoFiles();
    const work = join(place, `.lifeboat-restoring-here.${ourTag()}`);
    fs.mkdirSync(work, { mode: 0o700 });
    fs.chownSync(work, 65_534, 65_534);
    await refuseHalfExchanged(place);
  });
});

describe('H5: whoever may write beside the target', () => {
  test('gains nothing by putting a link in the place of the work folder, or of a folder in the target', async () => {
    const place = await twoFiles();
    const victim = join(place, 'victim');
    fs.mkdirSync(join(victim, 'new'), { recursive: true });
    fs.writeFileSync(join(victim, 'a'), 'root only');
    {
      await using work = await openWorkFolder(place, 'a');
      const name = fs.readdirSync(place).find((one) => one.startsWith('.lifeboat-restoring-'))!;
      fs.renameSync(join(place, name), join(place, 'away'));
      fs.symlinkSync(victim, join(place, name));
      fs.writeFileSync(join(work.fresh, 'a'), 'new a');
      // What goes out may still be changed by who has it open.
      fs.symlinkSync(victim, join(place, 'away/link'));
      await work.exchange([{ to: join(place, 'a'), from: join(work.fresh, 'a') }]);
    }
    {
      await using work = await openWorkFolder(place, 'b');
      fs.writeFileSync(join(work.fresh, 'b'), 'new b');
      fs.symlinkSync(victim, join(place, 'folder'));
      const through = work.exchange([{ to: join(place, 'folder/a'), from: join(work.fresh, 'b') }]);
      await expect(through).rejects.toThrow('ENOTDIR');
    }
    expect(fs.readFileSync(join(victim, 'a'), 'utf8')).toBe('root only');
    expect(fs.readFileSync(join(place, 'a'), 'utf8')).toBe('new a');
    expect(fs.readdirSync(victim).sort()).toEqual(['a', 'new']);
    expect(fs.readdirSync(join(victim, 'new'))).toEqual([]);
    expect(fs.readdirSync(join(place, 'away'))).toEqual([]);
  });

  test('has the target behind no link', async () => {
    const place = await twoFiles();
    fs.mkdirSync(join(place, 'real/inner'), { recursive: true });
    fs.symlinkSync('real', join(place, 'link'));
    await expect(openWorkFolder(join(place, 'link/inner'), 'x')).rejects.toMatchObject({
      code: 'restore-through-link',
    });
  });
});

test('two restores of one target do not meet', async () => {
  const place = await temporaryFolder();
  await using _first = await openWorkFolder(place, 'target');
  await expect(openWorkFolder(place, 'target')).rejects.toMatchObject({ code: 'restore-running' });
  await using _other = await openWorkFolder(place, 'target.2');
});

test('an owner is told from a later process with the same id', async () => {
  const place = await temporaryFolder();
  const [pid] = ourTag().split('-');
  fs.mkdirSync(join(place, `.lifeboat-restoring-target.${pid}-1`), { mode: 0o700 });
  await using _work = await openWorkFolder(place, 'target');
});

describe.each(['whole', 'contents'])('killed at any moment, replacing %s', (how) => {
  test('all is of one generation after the next restore began', async () => {
    const place = await temporaryFolder();
    const target = join(place, 'target');
    fs.mkdirSync(target);
    const program = fileURLToPath(new URL('../../test/support/exchange-forever.ts', import.meta.url));
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [program, target, how], { stdio: ['ignore', 'pipe', 'ignore'] });
      try {
        await once(child.stdout, 'data');
        await sleep((round * 13) % 41);
      } finally {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      const [folder, name] = how === 'whole' ? [place, 'target'] : [target, 'here'];
      await (await openWorkFolder(folder!, name!))[Symbol.asyncDispose]();
      const found = read(target);
      expect(new Set(Object.values(found)).size).toBe(1);
      expect(Object.keys(found)).toHaveLength(13);
      expect(remainsIn(place)).toEqual([]);
    }
  });
});

test.runIf(isRoot)(
  'files/09: where flags or a read-only file system forbid it, that is said, and all is as it was',
  async () => {
    const place = await twoFiles();
    const chattr = (flag: string, path: string) => execFileSync('chattr', [flag, path], { stdio: 'ignore' });
    try {
      chattr('+i', join(place, 'b'));
    } catch {
      // A file system without flags.
      return;
    }
    onTestFinished(() => void execFileSync('chattr', ['-R', '-i', '-a', place], { stdio: 'ignore' }));
    const forbidden = { code: 'target-forbidden', hint: expect.stringContaining('chattr -i -a') };
    const replaced = async () => {
      await using work = await openWorkFolder(place, 'here');
      for (const name of ['a', 'b']) fs.writeFileSync(join(work.fresh, name), 'new');
      const moves = ['a', 'b'].map((name) => ({ to: join(place, name), from: join(work.fresh, name) }));
      await work.exchange(moves);
    };
    await expect(replaced()).rejects.toMatchObject(forbidden);
    expect(read(place)).toEqual({ a: 'old a', b: 'old b' });
    chattr('-i', join(place, 'b'));
    chattr('+i', place);
    await expect(openWorkFolder(place, 'here')).rejects.toMatchObject(forbidden);
    await expect(makeFolders(join(place, 'deep/down'))).rejects.toMatchObject(forbidden);
    chattr('-i', place);

    // What is only added to is restored to; nothing can be taken away there again, and that is said.
    chattr('+a', place);
    await using work = await openWorkFolder(place, 'c');
    fs.writeFileSync(join(work.fresh, 'c'), 'new c');
    const stayed = await work.exchange([{ to: join(place, 'c'), from: join(work.fresh, 'c') }]);
    expect(stayed).toMatchObject([{ code: 'old-not-removed', message: expect.stringContaining(place) }]);
    expect(fs.readFileSync(join(place, 'c'), 'utf8')).toBe('new c');

    const mount = await temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', mount]);
    onTestFinished(() => void execFileSync('umount', ['--lazy', mount]));
    const isReadOnly = { code: 'target-forbidden', message: expect.stringContaining(`${mount} cannot be written to`) };
    await expect(openWorkFolder(mount, 'here')).rejects.toMatchObject(isReadOnly);
    await expect(makeFolders(join(mount, 'deep/down'))).rejects.toMatchObject(isReadOnly);
  },
);
