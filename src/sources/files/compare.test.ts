import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { everything, newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { tortureTree } from '../../../test/support/torture.ts';
import { filesSource } from './source.ts';

const isRoot = process.geteuid?.() === 0;

/** Each is one difference that nothing but a comparison of that very thing can see, and what is said of it. */
const planted: readonly (readonly [string, (at: (name: string) => string) => void, string])[] = [
  [
    'another value of an attribute',
    (at) => setfattr('user.origin', 'other', at('attributes/file')),
    'another attribute',
  ],
  [
    'no attribute any more',
    (at) => execFileSync('setfattr', ['-x', 'user.empty', at('attributes/file')]),
    'no attribute',
  ],
  ["a folder's attribute", (at) => setfattr('user.folder', 'no', at('attributes')), 'attributes has another attribute'],
  ['a user more in an ACL', (at) => setfacl('u:54321:r', at('acl/salaries.txt')), 'another attribute system.posix_acl'],
  ['an ACL where none was', (at) => setfacl('u:54321:r', at('links/apart')), 'links/apart has'],
  [
    'no list to hand down',
    (at) => execFileSync('setfacl', ['-k', at('acl/handed')]),
    'no attribute system.posix_acl_default',
  ],
  ['other permissions', (at) => fs.chmodSync(at('modes/2711'), 0o711), 'modes/2711 has other permissions'],
  ['permissions of a folder', (at) => fs.chmodSync(at('modes/d2775'), 0o775), 'modes/d2775 has other permissions'],
  ['a nanosecond', (at) => touch('@1714979290', at('times/3')), 'times/3 has another time'],
  ['a time before 1970', (at) => touch('@0', at('times/1')), 'times/1 has another time'],
  ["a link's own time", (at) => touch('@5', at('names/link')), 'names/link has another time'],
  ['bytes with the same size and time', (at) => sameTime(at('links/apart'), 'two'), 'links/apart has other bytes'],
  ['a link to elsewhere', relink, 'names/out points elsewhere'],
  ['a name that is its own file now', split, 'links/two is not the same file as its link'],
  ['a fifo that is a file', (at) => swap(at('special/fifo'), (path) => fs.writeFileSync(path, '')), 'is no fifo'],
];
const byRoot: typeof planted = [
  ['another owner', (at) => fs.chownSync(at('modes/444'), 1, 0), 'modes/444 belongs to another user or group'],
  ['another group of a link', (at) => fs.lchownSync(at('names/out'), 0, 1), 'names/out belongs to another'],
  ['no capability', (at) => execFileSync('setcap', ['-r', at('capable')]), 'no attribute security.capability'],
  ['another device', device, 'special/null is another device'],
];

function setfattr(name: string, value: string, path: string): void {
  execFileSync('setfattr', ['-n', name, '-v', value, path]);
}
function setfacl(entry: string, path: string): void {
  execFileSync('setfacl', ['-m', entry, path]);
}
function touch(time: string, path: string): void {
  execFileSync('touch', ['-h', '-d', time, path]);
}
function sameTime(path: string, text: string): void {
  execFileSync('sh', [
    '-c',
    'touch -r "$1" "$2"; printf %s "$3" > "$1"; touch -r "$2" "$1"; rm "$2"',
    '-',
    path,
    `${path}-`,
    text,
  ]);
}
function swap(path: string, make: (path: string) => void): void {
  fs.rmSync(path);
  make(path);
}
function relink(at: (name: string) => string): void {
  swap(at('names/out'), (path) => fs.symlinkSync('/etc/passwe', path));
}
function split(at: (name: string) => string): void {
  execFileSync('cp', ['-p', at('links/two'), at('links/copy')]);
  fs.renameSync(at('links/copy'), at('links/two'));
}
function device(at: (name: string) => string): void {
  swap(at('special/null'), (path) => execFileSync('mknod', ['-m', '666', path, 'c', '1', '5']));
}

test('V9, files/01, 11, 13: each planted difference is seen by itself and named; without one there is none', async () => {
  const place = await temporaryFolder();
  const path = join(place, 'tree');
  fs.mkdirSync(path);
  tortureTree(path);
  const options = { exclude: [], defaultExcludes: false, oneFileSystem: true, xattrs: true };
  const source = filesSource({ name: 'data', path, ...options });
  const contents = await contentsOf(await source.capture(newRun()));
  const measure = async () => (await source.measure(path, contents.expectations!, newRun(), contents)).integrity[0]!;
  expect(await measure()).toMatchObject({ ok: true });
  // A copy for each would take as long as all the rest: each is planted into the same, and taken back with all of it.
  const kept = join(place, 'kept');
  execFileSync('cp', ['-a', path, kept]);
  for (const [what, plant, said] of [...planted, ...(isRoot ? byRoot : [])]) {
    plant((name) => join(path, name));
    const { ok, detail } = await measure();
    expect([what, ok, detail]).toEqual([what, false, expect.stringContaining(said)]);
    execFileSync('rsync', ['-aHAX', '--modify-window=-1', '--checksum', '--delete', `${kept}/`, `${path}/`]);
  }
  expect(await measure()).toMatchObject({ ok: true });
});

test('a difference that the restore named is not named again', async () => {
  const path = join(await temporaryFolder(), 'tree');
  fs.mkdirSync(path);
  fs.writeFileSync(join(path, 'file'), '');
  setfattr('user.a', '1', join(path, 'file'));
  const options = { exclude: [], defaultExcludes: false, oneFileSystem: true, xattrs: true };
  const source = filesSource({ name: 'data', path, ...options });
  const contents = await contentsOf(await source.capture(newRun()));
  await source.restore(contents, { ...everything, force: true }, newRun());
  execFileSync('setfattr', ['-x', 'user.a', join(path, 'file')]);
  const knows = (what: string) => ({ has: (entry: string, of: string) => entry === 'file' && of === what });
  for (const [what, ok] of [
    ['xattr user.a', true],
    ['xattr user.b', false],
    ['time', false],
  ] as const) {
    const measured = await source.measure(path, contents.expectations!, newRun(), contents, knows(what));
    expect([what, measured.integrity[0]!.ok]).toEqual([what, ok]);
  }
});
