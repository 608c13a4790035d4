import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { everything, newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { describeTree, remainsIn } from '../../../test/support/tree.ts';
import type { Contents } from '../source.ts';
import { filesSource } from './source.ts';

async function capturedFolder() {
  const place = await temporaryFolder();
  const path = join(place, 'uploads');
  fs.mkdirSync(join(path, 'a/b'), { recursive: true });
  fs.writeFileSync(join(path, 'a/b/one'), 'one');
  fs.writeFileSync(join(path, 'a/two'), 'two');
  fs.linkSync(join(path, 'a/two'), join(path, 'two again'));
  fs.writeFileSync(join(path, 'three\n'), 'three');
  fs.chmodSync(join(path, 'a'), 0o2750);
  fs.utimesSync(join(path, 'a'), 1e9, 1e9);
  const source = sourceOf(path);
  const contents = await contentsOf(await source.capture(newRun()));
  return { place, path, source, contents, before: describeTree(path) };
}

function sourceOf(path: string) {
  return filesSource({ name: 'data', path, exclude: [], defaultExcludes: true, oneFileSystem: true, xattrs: true });
}

/** A file system of its own, which cannot be renamed; gone when the test ends. */
function mountAt(path: string): void {
  fs.mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'lifeboat-test', path]);
  onTestFinished(() => void execFileSync('umount', [path]));
}

const isRoot = process.getuid?.() === 0;

describe('in place', () => {
  test('brings back what was deleted, where it was', async () => {
    const { path, source, contents, before } = await capturedFolder();
    fs.rmSync(path, { recursive: true });
    await source.restore(contents, everything, newRun());
    expect(describeTree(path)).toEqual(before);
  });

  test('through a symbolic link replaces the folder, and leaves the link', async () => {
    const { place, path, contents, before } = await capturedFolder();
    const link = join(place, 'link');
    fs.symlinkSync('uploads', link);
    fs.writeFileSync(join(path, 'a/two'), 'changed');
    await sourceOf(link).restore(contents, { force: true, only: [] }, newRun());
    expect(fs.readlinkSync(link)).toBe('uploads');
    expect(describeTree(path)).toEqual(before);
  });

  test.runIf(isRoot)('replaces what is in a mount point', async () => {
    const { place, source, contents, before } = await capturedFolder();
    const into = join(place, 'mounted');
    mountAt(into);
    fs.writeFileSync(join(into, 'old'), 'old');
    fs.mkdirSync(join(into, 'a'));
    const target = { into, force: true, only: [] };
    await expect(source.restore(contents, { ...target, force: false }, newRun())).rejects.toMatchObject({
      code: 'target-not-empty',
    });
    await source.restore(contents, target, newRun());
    expect(describeTree(into)).toEqual(before);
    expect(remainsIn(place)).toEqual([]);
  });

  test.runIf(isRoot)(
    'what came to a mount point is known again, and gets what a killed restore had left to do',
    async () => {
      const { place, path, contents } = await capturedFolder();
      const mounted = join(place, 'mounted');
      mountAt(mounted);
      const source = sourceOf(mounted);
      let mark = '';
      const beforePlacing = (told: string) => {
        mark = told;
      };
      await source.restore(contents, { ...everything, beforePlacing }, newRun());
      fs.chmodSync(mounted, 0o700);
      expect(await source.wasPlaced(mark, contents, newRun())).toBe(true);
      expect(fs.statSync(mounted).mode).toBe(fs.statSync(path).mode);
      fs.writeFileSync(join(mounted, 'more'), '');
      expect(await source.wasPlaced(mark, contents, newRun())).toBe(false);
    },
  );

  test.runIf(isRoot)('never touches another file system that is mounted inside', async () => {
    const { place, path, source, contents } = await capturedFolder();
    mountAt(join(path, 'a/other'));
    fs.writeFileSync(join(path, 'a/other/precious'), 'precious');
    for (const only of [[], ['a']]) {
      await expect(source.restore(contents, { force: true, only }, newRun())).rejects.toMatchObject({
        code: 'target-unsuitable',
        message: expect.stringContaining('a/other'),
      });
    }
    await source.restore(contents, { force: true, only: ['a/two'] }, newRun());
    expect(fs.readFileSync(join(path, 'a/other/precious'), 'utf8')).toBe('precious');
    expect(remainsIn(place)).toEqual([]);
  });

  test('of a folder that a restore left half exchanged is what a backup refuses', async () => {
    const { path, source } = await capturedFolder();
    const work = join(path, '.lifeboat-restoring-here.999999999-1');
    fs.mkdirSync(work, { mode: 0o700 });
    fs.writeFileSync(join(work, 'journal'), JSON.stringify({ work, moves: [] }));
    await expect(source.capture(newRun())).rejects.toMatchObject({ code: 'restore-interrupted' });
  });

  test('a folder that went missing in a restore is explained, not called vanished', async () => {
    const { place, path, source, contents } = await capturedFolder();
    const work = join(place, '.lifeboat-restoring-uploads.999999999-1');
    fs.mkdirSync(work, { mode: 0o700 });
    fs.mkdirSync(join(work, 'old'));
    fs.mkdirSync(join(work, 'new'));
    fs.writeFileSync(
      join(work, 'journal'),
      JSON.stringify({ work, moves: [{ to: 'uploads', from: 'x', replaces: true }] }),
    );
    fs.renameSync(path, join(work, 'old/0'));
    await expect(source.inspect(newRun())).rejects.toMatchObject({ code: 'restore-interrupted' });
    // The next restore puts it back, and then refuses to replace it unasked.
    await expect(source.restore(contents, everything, newRun())).rejects.toMatchObject({ code: 'target-not-empty' });
    expect(fs.readFileSync(join(path, 'a/two'), 'utf8')).toBe('two');
    expect(remainsIn(place)).toEqual([]);
  });
});

test('files/08: a folder and a file whose names are as long as a name may be come back', async () => {
  const place = await temporaryFolder();
  for (const kind of ['folder', 'file']) {
    const path = join(place, kind.padEnd(255, 'x'));
    if (kind === 'folder') fs.mkdirSync(path);
    fs.writeFileSync(kind === 'folder' ? join(path, 'inside') : path, 'there');
    const source = sourceOf(path);
    const contents = await contentsOf(await source.capture(newRun()));
    const before = describeTree(path);
    fs.rmSync(path, { recursive: true });
    await source.restore(contents, everything, newRun());
    await source.restore(contents, { ...everything, force: true }, newRun());
    expect(describeTree(path)).toEqual(before);
  }
  expect(remainsIn(place)).toEqual([]);
});

describe('chosen paths', () => {
  test('come with the folders they are in, as these were', async () => {
    const { place, source, contents } = await capturedFolder();
    const into = join(place, 'some');
    const { files } = await source.restore(contents, { into, force: false, only: ['a/b/one', './three\n'] }, newRun());
    expect(files).toBe(2);
    expect(fs.readdirSync(into, { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/one', 'three\n']);
    expect(fs.statSync(join(into, 'a')).mode & 0o7777).toBe(0o2750);
  });

  test('the other name of a file comes as the file', async () => {
    const { place, source, contents } = await capturedFolder();
    const into = join(place, 'some');
    await source.restore(contents, { into, force: false, only: ['two again'] }, newRun());
    expect(fs.readFileSync(join(into, 'two again'), 'utf8')).toBe('two');
  });

  test('replace only themselves, and only when forced', async () => {
    const { path, source, contents } = await capturedFolder();
    fs.writeFileSync(join(path, 'a/two'), 'changed');
    fs.writeFileSync(join(path, 'three\n'), 'changed');
    fs.rmSync(join(path, 'a/b'), { recursive: true });
    await expect(source.restore(contents, { force: false, only: ['a/b', 'a/two'] }, newRun())).rejects.toMatchObject({
      code: 'target-not-empty',
      message: expect.stringContaining('a/two'),
    });
    expect(fs.existsSync(join(path, 'a/b'))).toBe(false);
    await source.restore(contents, { force: false, only: ['a/b/', 'a/b/one'] }, newRun());
    expect(fs.readFileSync(join(path, 'a/b/one'), 'utf8')).toBe('one');
    await source.restore(contents, { force: true, only: ['a/two'] }, newRun());
    expect(fs.readFileSync(join(path, 'a/two'), 'utf8')).toBe('two');
    expect(fs.readFileSync(join(path, 'three\n'), 'utf8')).toBe('changed');
  });

  test.each(['nothing', 'a/nothing', '../uploads', '/', ''])(
    '%j is not in it, and nothing is written',
    async (path) => {
      const { place, source, contents } = await capturedFolder();
      const into = join(place, 'some');
      const attempt = source.restore(contents, { into, force: true, only: ['a', path] }, newRun());
      await expect(attempt).rejects.toMatchObject({ code: 'chosen-missing' });
      expect(fs.existsSync(into)).toBe(false);
    },
  );
});

describe('a single file', () => {
  async function capturedFile() {
    const place = await temporaryFolder();
    const path = join(place, '.env');
    fs.writeFileSync(path, 'KEY=1', { mode: 0o600 });
    const source = sourceOf(path);
    return { place, path, source, contents: await contentsOf(await source.capture(newRun())) };
  }

  test('is one entry, and comes back in its place, under another name, and into a folder', async () => {
    const { place, path, source, contents } = await capturedFile();
    expect(contents.stored).toMatchObject([{ path: '.env', type: 'file', mode: 0o600 }]);
    await expect(source.restore(contents, everything, newRun())).rejects.toMatchObject({ code: 'target-not-empty' });
    fs.writeFileSync(path, 'KEY=2');
    await source.restore(contents, { force: true, only: [] }, newRun());
    fs.mkdirSync(join(place, 'there'));
    const places = [path];
    for (const into of [join(place, 'new/other'), join(place, 'there')]) {
      places.push((await source.restore(contents, { ...everything, into }, newRun())).where);
    }
    expect(places).toEqual([path, join(place, 'new/other'), join(place, 'there/.env')]);
    for (const where of places) {
      expect(fs.readFileSync(where, 'utf8')).toBe('KEY=1');
      const { actual, integrity } = await source.measure(where, contents.expectations!, newRun(), contents);
      expect(actual).toEqual(contents.expectations);
      expect(integrity).toMatchObject([{ ok: true, looked: 1 }]);
    }
    expect(remainsIn(place)).toEqual([]);
  });
});

describe('a measurement', () => {
  test('V9: sees what is missing, additional, swapped or changed, and names it', async () => {
    const { place, source, contents } = await capturedFolder();
    const spoil: Record<string, [RegExp, (into: string) => void]> = {
      missing: [/a\/b\/one is missing/, (into) => fs.rmSync(join(into, 'a/b/one'))],
      swapped: [/has other bytes/, (into) => fs.writeFileSync(join(into, 'a/two'), 'TWO')],
      shortened: [/a\/b\/one has 2 bytes instead of 3/, (into) => fs.truncateSync(join(into, 'a/b/one'), 2)],
      unlinked: [
        /two again is not the same file/,
        (into) => {
          fs.rmSync(join(into, 'two again'));
          fs.writeFileSync(join(into, 'two again'), 'two', { mode: 0o644 });
          fs.chmodSync(join(into, 'two again'), fs.statSync(join(into, 'a/two')).mode);
        },
      ],
      reopened: [/a has other permissions/, (into) => fs.chmodSync(join(into, 'a'), 0o777)],
    };
    for (const [name, [message, work]] of Object.entries(spoil)) {
      const into = join(place, name);
      await source.restore(contents, { ...everything, into }, newRun());
      work(into);
      const { integrity } = await source.measure(into, contents.expectations!, newRun(), contents);
      expect(integrity).toMatchObject([{ ok: false, detail: expect.stringMatching(message) }]);
    }
    const into = join(place, 'additional');
    await source.restore(contents, { ...everything, into }, newRun());
    fs.writeFileSync(join(into, 'a/b/more'), '');
    const { actual } = await source.measure(into, contents.expectations!, newRun());
    expect(actual).not.toEqual(contents.expectations);
  });
});

test('a restore that does not fit is refused before anything is written', async () => {
  const { place, source, contents } = await capturedFolder();
  const huge: Contents = {
    ...contents,
    async *entries() {
      for await (const entry of contents.entries())
        yield entry.type === 'file' ? { ...entry, sizeBytes: 2 ** 52 } : entry;
    },
  };
  const into = join(place, 'new');
  await expect(source.restore(huge, { ...everything, into }, newRun())).rejects.toMatchObject({
    code: 'target-too-small',
  });
  expect(fs.existsSync(into)).toBe(false);
  expect(remainsIn(place)).toEqual([]);
});

describe('H5: what another user may have changed at the target', () => {
  test('files/14: a folder on the way to a chosen path that became a link is refused, at any depth', async () => {
    const { place, source, contents } = await capturedFolder();
    const into = join(place, 'new');
    await source.restore(contents, { ...everything, into }, newRun());
    const victim = join(place, 'victim');
    fs.mkdirSync(join(victim, 'b'), { recursive: true });
    fs.writeFileSync(join(victim, 'b/one'), 'precious');
    for (const link of ['a/b', 'a']) {
      fs.rmSync(join(into, link), { recursive: true });
      fs.symlinkSync(link === 'a' ? victim : join(victim, 'b'), join(into, link));
      const attempt = source.restore(contents, { into, force: true, only: ['a/b/one'] }, newRun());
      await expect(attempt).rejects.toMatchObject({ code: 'restore-through-link' });
    }
    expect(fs.readFileSync(join(victim, 'b/one'), 'utf8')).toBe('precious');
    expect(remainsIn(place)).toEqual([]);
  });

  test.runIf(isRoot)('the target itself, replaced by a link to what is not theirs, is refused', async () => {
    const { place, source, contents } = await capturedFolder();
    const [victim, into] = [join(place, 'victim'), join(place, 'into')];
    fs.mkdirSync(victim);
    fs.writeFileSync(join(victim, 'kept'), '');
    fs.symlinkSync(victim, into);
    fs.lchownSync(into, 65_534, 65_534);
    for (const only of [[], ['a/b/one']]) {
      const attempt = source.restore(contents, { into, force: true, only }, newRun());
      await expect(attempt).rejects.toMatchObject({ code: 'restore-through-link' });
    }
    expect(fs.readdirSync(victim)).toEqual(['kept']);
    // What is theirs anyway may be reached by their own link.
    fs.chownSync(victim, 65_534, 65_534);
    await source.restore(contents, { into, force: true, only: [] }, newRun());
    expect(fs.existsSync(join(victim, 'kept'))).toBe(false);
  });
});

test.runIf(isRoot)(
  'files/09: what may not be removed of the old is named, and stops neither this restore nor the next',
  async () => {
    const { place, path, source, contents, before } = await capturedFolder();
    const locked = join(path, 'a/b/one');
    const chattr = (flag: string, file: string) => execFileSync('chattr', [flag, file], { stdio: 'ignore' });
    try {
      chattr('+i', locked);
    } catch {
      // A file system without flags.
      return;
    }
    onTestFinished(() => void execFileSync('chattr', ['-R', '-i', '-a', place], { stdio: 'ignore' }));
    const { problems } = await source.restore(contents, { ...everything, force: true }, newRun());
    expect(problems).toMatchObject([{ code: 'old-not-removed', message: expect.stringContaining('chattr -R -i -a') }]);
    expect(problems[0]!.message).toContain('a/b/one');
    expect(describeTree(path)).toEqual(before);
    // All else of it is gone.
    expect(fs.readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('two'))).toEqual(
      ['uploads/a/two'],
    );
    const again = await source.restore(contents, { ...everything, force: true }, newRun());
    expect(again.problems, 'as long as it is there').toEqual(problems);
    expect(describeTree(path)).toEqual(before);
    // In a folder that only grows nothing may be removed, which no flag of what is in it says.
    chattr('+a', join(path, 'a'));
    const grown = await source.restore(contents, { ...everything, force: true }, newRun());
    expect(grown.problems).toHaveLength(2);
    for (const { message } of grown.problems)
      execFileSync('/bin/sh', ['-c', /chattr -R -i -a '[^']*'/.exec(message)![0]], { stdio: 'ignore' });
    const last = await source.restore(contents, { ...everything, force: true }, newRun());
    expect(last.problems).toEqual([]);
    expect(fs.readdirSync(place)).toEqual(['uploads']);
  },
);
