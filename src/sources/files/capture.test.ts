import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import type { Entry } from '../../core/entry.ts';
import { isUnread } from '../../core/gaps.ts';
import { type LeftOut, leftOutIn } from '../../core/left-out.ts';
import type { BytePath } from '../../core/paths.ts';
import { type FilesOptions, filesSource } from './source.ts';

const isRoot = process.getuid?.() === 0;

async function folderWith(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const path = await temporaryFolder({ open: true });
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(join(path, name, '..'), { recursive: true });
    fs.writeFileSync(join(path, name), text);
  }
  return path;
}

function sourceOf(path: string, options: Partial<FilesOptions> = {}) {
  return filesSource({
    name: 'data',
    path,
    exclude: [],
    defaultExcludes: true,
    oneFileSystem: true,
    xattrs: false,
    ...options,
  });
}

async function captured(path: string, options: Partial<FilesOptions> = {}) {
  const capture = await sourceOf(path, options).capture(newRun());
  const entries: Entry[] = [];
  for await (const entry of capture.entries) entries.push(entry);
  return { entries, paths: entries.map((entry) => entry.path), ...(await capture.finish()) };
}

const fingerprints = (entries: readonly Entry[]) =>
  Object.fromEntries(
    entries.flatMap((entry) =>
      entry.type === 'file' && entry.content.from === 'file' ? [[entry.path, entry.content.fingerprint]] : [],
    ),
  );

/** Until the file system's clock has ticked past what was just written. */
async function settle(path: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (Object.values(fingerprints((await captured(path)).entries)).includes(undefined)) {
    if (performance.now() > deadline) throw new Error('never settled');
  }
}

describe('fingerprints', () => {
  test('stay when nothing changed, and change with content, times, permissions and replacement', async () => {
    const path = await folderWith({ same: '1', content: '1', mode: '1', time: '1', replaced: '1' });
    fs.utimesSync(join(path, 'content'), 1e9, 1e9);
    await settle(path);
    const before = fingerprints((await captured(path)).entries);
    fs.writeFileSync(join(path, 'content'), '2');
    // As old and as long as it was: only ctime tells.
    fs.utimesSync(join(path, 'content'), 1e9, 1e9);
    fs.chmodSync(join(path, 'mode'), 0o600);
    fs.utimesSync(join(path, 'time'), 1, 1);
    fs.writeFileSync(join(path, 'new'), '1');
    fs.renameSync(join(path, 'new'), join(path, 'replaced'));
    await settle(path);
    const after = fingerprints((await captured(path)).entries);
    expect(after.same).toBe(before.same);
    for (const name of ['content', 'mode', 'time', 'replaced'])
      expect([name, after[name]]).not.toEqual([name, before[name]]);
  });

  test('are not given to a file that changed this instant: it could change again unseen', async () => {
    const path = await folderWith({ fresh: '1' });
    let seen: string | undefined = 'none yet';
    // On a slow machine the tick may be over before we look: write and look until it is not.
    for (let attempt = 0; attempt < 50 && seen !== undefined; attempt++) {
      fs.writeFileSync(join(path, 'fresh'), String(attempt));
      seen = fingerprints((await captured(path)).entries).fresh;
    }
    expect(seen).toBeUndefined();
  });
});

describe('what is left out', () => {
  test('is counted by rule, with its reason, and is not expected back', async () => {
    const path = await folderWith({
      'a/keep': '',
      'a/x.log': '12345',
      'y.log': '12',
      'node_modules/m/i.js': '1',
      'b.tmp': '',
    });
    const { paths, facts, expectations } = await captured(path, {
      exclude: [{ pattern: '*.log', reason: 'rotated elsewhere' }],
    });
    expect(paths).toEqual(['a', 'a/keep']);
    expect(facts.leftOut).toEqual([
      { rule: '*.log', by: 'exclude', reason: 'rotated elsewhere', files: 2, bytes: 7, folders: 0 },
      { rule: 'node_modules/', by: 'defaultExcludes', reason: expect.any(String), files: 1, bytes: 1, folders: 2 },
      { rule: '*.tmp', by: 'defaultExcludes', reason: 'temporary file', files: 1, bytes: 0, folders: 0 },
    ]);
    expect(expectations?.tables).toMatchObject([{ table: 'files', rows: 1 }]);
  });

  test('by default can be taken in', async () => {
    const path = await folderWith({
      'node_modules/m': '',
      'c/CACHEDIR.TAG': 'Signature: 8a477f597d28d172789f06886806bc55',
      'c/x': 'precious'.slice(1),
    });
    expect((await captured(path, { defaultExcludes: false })).paths).toEqual([
      'c',
      'c/CACHEDIR.TAG',
      'c/x',
      'node_modules',
      'node_modules/m',
    ]);
    const { paths, facts } = await captured(path);
    expect(paths).toEqual(['c', 'c/CACHEDIR.TAG']);
    expect(leftOutIn(facts)).toMatchObject([
      { rule: 'node_modules/', files: 1 },
      { rule: 'CACHEDIR.TAG', by: 'defaultExcludes', files: 1, bytes: 7, folders: 0 },
    ]);
  });

  test('a CACHEDIR.TAG without its signature leaves nothing out', async () => {
    const path = await folderWith({ 'c/CACHEDIR.TAG': 'something else', 'c/x': '' });
    expect((await captured(path)).paths).toContain('c/x');
  });

  test('sq1: the index of a SQLite log is never opened, and a file that is only called so is kept', async () => {
    const path = await folderWith({
      'letter-shm': 'x'.repeat(32_768),
      'notes-shm': 'mine',
      notes: '',
      'notes-wal': '',
    });
    const database = new DatabaseSync(join(path, 'app.db'));
    onTestFinished(() => database.close());
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id); INSERT INTO users VALUES (1)');
    const { paths, facts, problems } = await captured(path);
    expect(paths).toEqual(['app.db', 'app.db-wal', 'letter-shm', 'notes', 'notes-shm', 'notes-wal']);
    const [rule] = leftOutIn(facts);
    expect(rule).toMatchObject({ rule: '*-shm of SQLite', by: 'always', files: 1, bytes: 32_768 });
    expect(problems).toEqual([]);
    // It goes with its program, and that is no news.
    database.exec('PRAGMA journal_mode = DELETE');
    const capture = await sourceOf(path).capture(newRun(), [rule!]);
    await Array.fromAsync(capture.entries);
    expect((await capture.finish()).problems).toEqual([]);
  });

  test('files/07: nothing is left out unasked but sockets, which are counted; a name like that of our own remains is kept', async () => {
    const path = await folderWith({ 'Thumbs.db': '', 'a.tmp': '', '.lifeboat-restoring-x': 'letter' });
    const server = createServer().listen(join(path, 'socket'));
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    fs.mkdirSync(join(path, '.lifeboat-restoring-data.1-2'));
    fs.writeFileSync(join(path, '.lifeboat-restoring-data.1-2/old'), '123');
    const { paths, facts } = await captured(path, { defaultExcludes: false });
    expect(paths).toEqual(['.lifeboat-restoring-x', 'Thumbs.db', 'a.tmp', 'socket']);
    expect(leftOutIn(facts)).toMatchObject([
      { rule: '.lifeboat-restoring-*', by: 'always', files: 1, bytes: 3, folders: 1 },
      { rule: 'sockets', by: 'always', files: 1 },
    ]);
  });

  test('files/07: a rule that takes nothing any more, or much more, is told once; a new one and a small change are not', async () => {
    const logs = Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`${at}.log`, 'x']));
    const path = await folderWith({ ...logs, keep: '', 'x.tmp': '' });
    const exclude = ['*.log', '*.tmp'].map((pattern) => ({ pattern, reason: 'test' }));
    let before: readonly LeftOut[] | undefined;
    const told = async (rules = exclude) => {
      const options = { exclude: rules, defaultExcludes: false, oneFileSystem: true, xattrs: false };
      const source = filesSource({ name: 'data', path, ...options });
      const contents = await contentsOf(await source.capture(newRun(), before));
      before = leftOutIn(contents.facts);
      return contents.captured.problems.map(({ code, message }) => `${code}: ${message}`);
    };
    expect(await told()).toEqual([]);
    for (let at = 5; at < 24; at++) fs.writeFileSync(join(path, `${at}.log`), 'x');
    expect(await told()).toEqual([]);
    for (let at = 24; at < 60; at++) fs.writeFileSync(join(path, `${at}.log`), 'x');
    fs.rmSync(join(path, 'x.tmp'));
    expect(await told()).toEqual([
      "exclude-takes-more: '*.log' leaves out much more than before: 60 files, 60 B; at the last backup it was 24 files, 24 B.",
      "exclude-takes-nothing: '*.tmp' leaves out nothing any more; at the last backup it was 1 file, 0 B.",
    ]);
    expect(await told()).toEqual([]);
    // What was just written, or taken out of the configuration, was meant.
    expect(await told([{ pattern: '?.log', reason: 'test' }])).toEqual([]);
  });

  test('files/07: rules that leave nothing over are told, and so is one that misses a name by its spelling alone', async () => {
    const path = await folderWith({ 'Caf\u00e9/menu': 'x', 'logs/a': 'x', '\u00dcbung': '' });
    const exclude = ['Cafe\u0301/', 'LOGS/', '/\u00fcBUNG'].map((pattern) => ({ pattern, reason: 'test' }));
    const { problems, paths } = await captured(path, { exclude, defaultExcludes: false });
    expect(paths).toHaveLength(5);
    expect(problems.map(({ code, message }) => [code, message.slice(0, 40)])).toEqual([
      ['exclude-other-spelling', expect.stringContaining('Cafe')],
      ['exclude-other-spelling', expect.stringContaining("'LOGS/'")],
      ['exclude-other-spelling', expect.stringContaining('BUNG')],
    ]);
    const all = await captured(path, { exclude: [{ pattern: '*', reason: 'all' }], defaultExcludes: false });
    expect(all.problems).toEqual([{ code: 'everything-left-out', message: 'Everything in it is left out, by *.' }]);
  });

  test.runIf(isRoot)(
    'files/07: what is left out is not looked at beyond mount points, and other file systems are counted',
    async () => {
      const path = await folderWith({ 'out/a': '12', 'in/x': '', keep: '' });
      for (const at of ['out/mounted', 'in/mounted', 'out2']) {
        fs.mkdirSync(join(path, at));
        execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(path, at)]);
        onTestFinished(() => void execFileSync('umount', [join(path, at)]));
        fs.writeFileSync(join(path, at, 'file'), '123');
      }
      const exclude = ['out/', 'out2/'].map((pattern) => ({ pattern, reason: 'test' }));
      const { facts } = await captured(path, { exclude, defaultExcludes: false });
      expect(leftOutIn(facts)).toEqual([
        { rule: 'out/', by: 'exclude', reason: 'test', files: 1, bytes: 2, folders: 2, more: true },
        { rule: 'out2/', by: 'exclude', reason: 'test', files: 0, bytes: 0, folders: 1, more: true },
        {
          rule: 'other file systems',
          by: 'oneFileSystem',
          reason: 'mounted in the folder',
          files: 1,
          bytes: 3,
          folders: 0,
        },
      ]);
    },
  );

  test('other file systems are not entered, which is said, unless asked for', async () => {
    const root = '/dev';
    const shm = await captured(root);
    expect(shm.problems).toContainEqual({ code: 'other-file-system', message: expect.stringMatching(/^(shm|pts) /) });
    expect(shm.paths).toContain('shm');
    expect(shm.paths.some((path) => path.startsWith('shm/') || path.startsWith('pts/'))).toBe(false);
    const crossed = await captured(root, { oneFileSystem: false });
    expect(crossed.paths).toContain('pts/ptmx');
    // Devices are recorded with their numbers, never opened.
    expect(crossed.entries.find((entry) => entry.path === 'null')).toMatchObject({
      type: 'character-device',
      device: { major: 1, minor: 3 },
    });
  });
});

describe('what cannot be read', () => {
  test.runIf(isRoot)(
    'files/07: a file system that fstab has in it and that is not mounted is a gap, named',
    async () => {
      const path = await folderWith({ 'here/file': '', 'gone/.keep': '' });
      const fstab = join(await temporaryFolder(), 'fstab');
      fs.writeFileSync(fstab, `/dev/none ${path}/gone ext4 defaults 0 2\n/dev/none ${path}/later ext4 noauto 0 2\n`);
      const program = new URL('../../../test/support/capture-names.ts', import.meta.url).pathname;
      const script = 'mount --bind "$1" /etc/fstab && exec "$2" "$3" "$4" \'{"oneFileSystem":false}\'';
      const words = ['-m', 'sh', '-c', script, 'sh', fstab, process.execPath, program, path];
      const { problems } = JSON.parse(execFileSync('unshare', words, { encoding: 'utf8' }));
      expect(problems).toEqual([
        { code: 'mount-missing', message: expect.stringContaining(`${path}/gone is not mounted`) },
      ]);
      expect(isUnread('mount-missing')).toBe(true);
    },
  );

  test.runIf(isRoot)('is named, and the rest is captured', async () => {
    const path = await folderWith({ 'closed/inside': '', 'secret\nname': '', open: '', 'acl only': '' });
    fs.chmodSync(join(path, 'closed'), 0o700);
    fs.chmodSync(join(path, 'secret\nname'), 0o600);
    fs.chmodSync(join(path, 'acl only'), 0o600);
    execFileSync('setfacl', ['-m', 'u:65534:r', join(path, 'acl only')]);
    const program = new URL('../../../test/support/capture-names.ts', import.meta.url).pathname;
    const said = execFileSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, path],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const { paths, problems, rows } = JSON.parse(said);
    expect(paths).toEqual(['acl only', 'closed', 'open']);
    expect(rows).toBe(2);
    expect(problems).toEqual([
      { code: 'folder-unreadable', message: 'The folder closed could not be listed: EACCES.' },
      { code: 'file-unreadable', message: 'secret\\x0aname could not be read: permission denied.' },
    ]);
  });

  test('later, by the vault, is not expected back', async () => {
    const path = await folderWith({ a: '1', b: '2', c: '3' });
    const capture = await sourceOf(path).capture(newRun());
    let seen = 0;
    const vanishing = {
      entries: (async function* () {
        for await (const entry of capture.entries) {
          if (++seen === 2) fs.rmSync(join(path, 'b'));
          yield entry;
        }
      })(),
      finish: (leftOut?: Iterable<BytePath>) => capture.finish(leftOut),
      [Symbol.asyncDispose]: () => capture[Symbol.asyncDispose](),
    };
    const contents = await contentsOf(vanishing);
    expect(contents.leftOut).toEqual(['b']);
    const into = join(await temporaryFolder(), 'back');
    const source = sourceOf(path);
    await source.restore(contents, { into, force: false, only: [] }, newRun());
    const { actual, integrity } = await source.measure(into, contents.expectations!, newRun(), contents);
    expect(actual).toEqual(contents.expectations);
    expect(integrity).toMatchObject([{ ok: true, looked: 2 }]);
  });
});

describe('a dataset that is not what it should be', () => {
  test('an empty folder is captured, and questioned', async () => {
    const path = await folderWith();
    expect((await sourceOf(path).inspect(newRun())).problems).toMatchObject([{ code: 'folder-empty' }]);
    expect((await captured(path)).expectations?.tables).toMatchObject([{ rows: 0 }]);
  });

  test('that is replaced while it is read fails the capture: what is missing now was not deleted', async () => {
    const path = await folderWith({ 'a/file': '', 'b/file': '' });
    const capture = await sourceOf(path).capture(newRun());
    const attempt = (async () => {
      for await (const _ of capture.entries) {
        if (!fs.existsSync(join(path, 'a'))) continue;
        // Renamed away, so that its inode is not given to the new one.
        fs.renameSync(path, `${path}-away`);
        onTestFinished(() => fs.rmSync(`${path}-away`, { recursive: true }));
        fs.mkdirSync(path);
      }
    })();
    await expect(attempt).rejects.toMatchObject({ code: 'dataset-vanished' });
  });

  test('a socket or device is refused', async () => {
    await expect(sourceOf('/dev/null').inspect(newRun())).rejects.toMatchObject({ code: 'dataset-unreadable' });
  });

  test('a symbolic link to a folder is followed', async () => {
    const place = await folderWith({ 'real/file': 'x' });
    fs.symlinkSync('real', join(place, 'link'));
    expect((await captured(join(place, 'link'))).paths).toEqual(['file']);
  });
});

test('a folder as deep as paths may be, and wide, comes in order', async () => {
  const path = await folderWith();
  let deep = path;
  while (deep.length < 3900) deep = join(deep, 'd'.repeat(100));
  fs.mkdirSync(deep, { recursive: true });
  for (let at = 0; at < 3000; at++) fs.writeFileSync(join(path, `file-${at}`), '');
  const { paths } = await captured(path, { xattrs: true });
  expect(paths).toHaveLength(3000 + (deep.length - path.length) / 101);
});
