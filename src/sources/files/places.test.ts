import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf, type KeptContents } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { describeTree, remainsIn } from '../../../test/support/tree.ts';
import type { RestoreTarget } from '../source.ts';
import { type FilesOptions, filesSource } from './source.ts';

const isRoot = process.getuid?.() === 0;
const home: RestoreTarget = { force: false, only: [] };

/** Three places of a host, with others' things beside them. */
async function host() {
  const root = await temporaryFolder({ open: true });
  const put = (path: string, text: string, mode = 0o644) => {
    fs.mkdirSync(dirname(join(root, path)), { recursive: true });
    fs.writeFileSync(join(root, path), text, { mode });
  };
  put('etc/app/app.conf', 'port 80', 0o640);
  put('etc/app/tls/key', 'secret', 0o600);
  put('etc/cron.d/app', '* * * * * app true');
  put('etc/cron.d/others', 'not ours');
  put('etc/passwd', 'not ours either');
  put('srv/app/uploads/a', 'a');
  put('srv/app/code', 'not ours');
  fs.chmodSync(join(root, 'etc/cron.d'), 0o711);
  if (isRoot) fs.chownSync(join(root, 'srv/app'), 1234, 4321);
  const at = (path: string) => join(root, path);
  const places = ['etc/app', 'etc/cron.d/app', 'srv/app/uploads'].map(at);
  const sourceOf = (options: Partial<FilesOptions> = {}) =>
    filesSource({
      name: 'host',
      path: '/',
      places,
      exclude: [],
      defaultExcludes: false,
      oneFileSystem: true,
      xattrs: true,
      ...options,
    });
  const captured = async (options: Partial<FilesOptions> = {}) => contentsOf(await sourceOf(options).capture(newRun()));
  const look = () => places.flatMap((path) => [path, ...describeTree(path)]);
  const remains = () => remainsIn(root);
  return { root, at, put, places, sourceOf, captured, look, remains };
}

const namesIn = (root: string, { stored }: KeptContents) =>
  stored.flatMap(({ path }) => (`/${path}`.startsWith(`${root}/`) ? [`/${path}`.slice(root.length + 1)] : []));

test('nothing but the places is in it, and the folders on the way; a rule takes no place itself', async () => {
  const { root, captured } = await host();
  const contents = await captured({
    exclude: ['app/', 'etc/', 'tls/'].map((pattern) => ({ pattern, reason: 'test' })),
  });
  const ways = ['etc', 'etc/app', 'etc/app/app.conf', 'etc/cron.d', 'etc/cron.d/app'];
  expect(namesIn(root, contents)).toEqual([...ways, 'srv', 'srv/app', 'srv/app/uploads', 'srv/app/uploads/a']);
  expect(contents.facts.places).toHaveLength(3);
});

test('each goes back to where it was, with the folders on the way as they were, and what lies beside it stays', async () => {
  const { at, sourceOf, captured, look, remains } = await host();
  const contents = await captured();
  const before = look();
  const srv = describeTree(at('srv/app')).filter((line) => !line.startsWith('"./code'));
  for (const path of ['etc/app', 'etc/cron.d/app', 'srv']) fs.rmSync(at(path), { recursive: true });
  fs.writeFileSync(at('etc/passwd'), 'newer');
  const restored = await sourceOf().restore(contents, home, newRun());
  expect(restored).toMatchObject({ files: 4, problems: [], where: expect.stringContaining(at('etc/cron.d/app')) });
  expect(look()).toEqual(before);
  expect(describeTree(at('srv/app'))[0]).toEqual(srv[0]);
  expect(fs.readFileSync(at('etc/passwd'), 'utf8')).toBe('newer');
  expect(fs.existsSync(at('etc/cron.d/others'))).toBe(true);
  expect(remains()).toEqual([]);
  // As a recovery compares it: among all else that a host has.
  const { actual, integrity } = await sourceOf().measure(
    '/',
    contents.expectations!,
    newRun(),
    contents,
    restored.unset,
  );
  expect(actual.tables[0]).toMatchObject({ rows: 4, checksum: contents.expectations!.tables[0]!.checksum });
  expect(integrity).toMatchObject([{ ok: true }]);
  fs.chmodSync(at('etc/app/tls/key'), 0o644);
  const after = await sourceOf().measure('/', contents.expectations!, newRun(), contents);
  expect(after.integrity).toMatchObject([{ ok: false, detail: expect.stringContaining('key') }]);
});

test('all of them come, or none: one that is taken, or does not fit, keeps the others from it', async () => {
  const { at, sourceOf, captured, look, remains } = await host();
  const contents = await captured();
  fs.rmSync(at('etc'), { recursive: true });
  const refused = sourceOf().restore(contents, home, newRun());
  await expect(refused).rejects.toMatchObject({ code: 'target-not-empty' });
  expect([fs.existsSync(at('etc')), remains()]).toEqual([false, []]);
  const breaks: KeptContents = {
    ...contents,
    extract: (folder, options) => {
      if (options?.paths?.some((path) => path.endsWith('uploads'))) throw new Error('broke at the last place');
      return contents.extract(folder, options);
    },
  };
  await expect(sourceOf().restore(breaks, { ...home, force: true }, newRun())).rejects.toThrow('broke at the last');
  expect([fs.existsSync(at('etc')), remains()]).toEqual([false, []]);
  fs.writeFileSync(at('srv/app/uploads/b'), 'goes');
  await sourceOf().restore(contents, { ...home, force: true }, newRun());
  expect(look()).toContainEqual(expect.stringContaining('app.conf'));
  expect(fs.existsSync(at('srv/app/uploads/b'))).toBe(false);
});

test('a restore that was killed between two places goes on with the others, and gives the folders on the way what they had', async () => {
  const { at, put, sourceOf, captured, look } = await host();
  const contents = await captured();
  const before = look();
  const [app, cron] = [fs.statSync(at('srv/app')), fs.statSync(at('etc/cron.d'))];
  for (const path of ['etc/app', 'etc/cron.d', 'srv']) fs.rmSync(at(path), { recursive: true });
  let begun = '';
  const beforePlacing = (mark: string) => {
    begun = mark;
  };
  await sourceOf().restore(contents, { ...home, beforePlacing }, newRun());
  const owners = () => [fs.statSync(at('srv/app')), fs.statSync(at('etc/cron.d'))].map(({ mode, uid }) => [mode, uid]);
  // As it is when all have come, and the folders on the way did not get theirs.
  fs.chmodSync(at('srv/app'), 0o700);
  expect(await sourceOf().wasPlaced(begun, contents, newRun())).toBe(true);
  expect(owners()).toEqual([app, cron].map(({ mode, uid }) => [mode, uid]));
  // And when only the last has come to its place.
  fs.rmSync(at('etc/app'), { recursive: true });
  fs.rmSync(at('etc/cron.d/app'));
  for (const way of ['etc/cron.d', 'srv/app']) fs.chmodSync(at(way), 0o700);
  put('srv/app/uploads/newer', 'stays');
  expect(await sourceOf().wasPlaced(begun, contents, newRun())).toBe(false);
  await expect(sourceOf().restore(contents, home, newRun())).rejects.toMatchObject({ code: 'target-not-empty' });
  const restored = await sourceOf().restore(contents, { ...home, begun }, newRun());
  expect(restored).toMatchObject({ files: 3, problems: [], where: expect.stringContaining(at('srv/app/uploads')) });
  expect(fs.readFileSync(at('srv/app/uploads/newer'), 'utf8')).toBe('stays');
  fs.rmSync(at('srv/app/uploads/newer'));
  const withoutTime = (lines: string[]) => lines.filter((line) => !line.startsWith('"."'));
  expect(withoutTime(look())).toEqual(withoutTime(before));
  expect(owners()).toEqual([app, cron].map(({ mode, uid }) => [mode, uid]));
});

test('chosen ones come by the path that they have on the host', async () => {
  const { at, sourceOf, captured } = await host();
  const contents = await captured();
  for (const path of ['etc/app', 'etc/cron.d/app', 'srv/app/uploads']) fs.rmSync(at(path), { recursive: true });
  const restored = (...only: string[]) => sourceOf().restore(contents, { ...home, only }, newRun());
  await restored(at('etc/app/tls/key'), at('etc/cron.d'));
  expect(fs.readdirSync(at('etc/app'))).toEqual(['tls']);
  expect(fs.existsSync(at('etc/cron.d/app'))).toBe(true);
  await restored(at('srv'));
  expect(fs.readFileSync(at('srv/app/uploads/a'), 'utf8')).toBe('a');
  await expect(restored(at('etc/passwd'))).rejects.toMatchObject({ code: 'chosen-missing' });
  const into = at('else');
  await sourceOf().restore(contents, { ...home, into, only: [at('etc/app')] }, newRun());
  expect(fs.readFileSync(join(into, at('etc/app/app.conf')), 'utf8')).toBe('port 80');
});

test('what is there with the same bytes may be replaced, what has more may not', async () => {
  const { at, put, sourceOf, captured } = await host();
  const contents = await captured();
  const holds = () => sourceOf().holdsOnly!(contents, newRun());
  expect(await holds()).toBe(true);
  fs.rmSync(at('etc/app'), { recursive: true });
  expect(await holds()).toBe(true);
  put('srv/app/uploads/newer', 'x');
  expect(await holds()).toBe(false);
  for (const path of ['etc/cron.d/app', 'srv/app/uploads']) fs.rmSync(at(path), { recursive: true });
  expect(await holds()).toBe(false);
});

test('a place that is missing, or behind a link, is an error and no smaller backup', async () => {
  const { at, places, sourceOf } = await host();
  fs.renameSync(at('etc/app'), at('etc/real'));
  await expect(sourceOf().capture(newRun())).rejects.toMatchObject({ code: 'dataset-vanished' });
  fs.symlinkSync('real', at('etc/app'));
  await expect(sourceOf().inspect(newRun())).rejects.toMatchObject({
    code: 'dataset-unreadable',
    message: expect.stringContaining(at('etc/real')),
  });
  fs.rmSync(at('etc/app'));
  fs.renameSync(at('etc/real'), at('etc/app'));
  // Between the look and the walk.
  const capture = await sourceOf().capture(newRun());
  fs.rmSync(places[2]!, { recursive: true });
  await expect(Array.fromAsync(capture.entries)).rejects.toMatchObject({ code: 'dataset-vanished' });
});

test('a name of one place that is a file of another comes back as a file of its own, which the backup says', async () => {
  const { at, sourceOf, captured, look } = await host();
  fs.linkSync(at('etc/app/app.conf'), at('srv/app/uploads/linked'));
  fs.linkSync(at('srv/app/uploads/a'), at('srv/app/uploads/b'));
  const contents = await captured();
  const links = contents.stored.filter(({ type }) => type === 'hardlink').map(({ path }) => `/${path}`);
  expect(links).toEqual([at('srv/app/uploads/b')]);
  expect(contents.captured.problems).toEqual([
    { code: 'link-apart', message: expect.stringMatching(/linked is the same file as .*app\.conf, in another place/) },
  ]);
  for (const path of ['etc/app', 'etc/cron.d/app', 'srv/app/uploads']) fs.rmSync(at(path), { recursive: true });
  const { unset } = await sourceOf().restore(contents, home, newRun());
  const { integrity } = await sourceOf().measure('/', contents.expectations!, newRun(), contents, unset);
  expect(integrity).toMatchObject([{ ok: true }]);
  expect(look()).toContainEqual(expect.stringMatching(/b.*= /));
});

test.runIf(isRoot)('places on several file systems are taken, and what is mounted in one is told', async () => {
  const { at, put, sourceOf, captured } = await host();
  for (const path of ['srv/app/uploads', 'etc/app/mounted']) {
    fs.mkdirSync(at(path), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', at(path)]);
    onTestFinished(
      () => void execFileSync('sh', ['-c', 'umount --lazy "$1" || true', 'sh', at(path)], { stdio: 'ignore' }),
    );
  }
  put('srv/app/uploads/on another disk', 'x');
  const contents = await captured();
  expect(contents.stored.map(({ path }) => `/${path}`)).toContain(at('srv/app/uploads/on another disk'));
  expect(contents.captured.problems).toMatchObject([{ code: 'other-file-system' }]);
  execFileSync('umount', [at('etc/app/mounted')]);
  fs.rmSync(at('srv/app/uploads/on another disk'));
  await sourceOf().restore(contents, { ...home, force: true }, newRun());
  expect(fs.readFileSync(at('srv/app/uploads/on another disk'), 'utf8')).toBe('x');
  expect(execFileSync('stat', ['-f', '-c', '%T', at('srv/app/uploads')], { encoding: 'utf8' })).toBe('tmpfs\n');
});

test.runIf(isRoot)('files-14: no folder on the way is made behind a link that another user put there', async () => {
  const { at, sourceOf, captured } = await host();
  const contents = await captured();
  fs.rmSync(at('srv'), { recursive: true });
  fs.mkdirSync(at('others'));
  fs.symlinkSync(at('others'), at('srv'));
  fs.lchownSync(at('srv'), 1234, 4321);
  const { ctimeNs } = fs.statSync(at('others'), { bigint: true });
  const restored = sourceOf().restore(contents, { ...home, force: true }, newRun());
  await expect(restored).rejects.toMatchObject({ code: 'restore-through-link' });
  expect(fs.statSync(at('others'), { bigint: true }).ctimeNs).toBe(ctimeNs);
});
