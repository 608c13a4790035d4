import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temp.ts';
import { byNumber } from './owners.ts';
import { openXattrReader } from './read-xattrs.ts';
import { type Metadata, openMetadataSetter } from './set.ts';

const isRoot = process.geteuid?.() === 0;
const mine = { uid: process.geteuid!(), gid: process.getegid!() };

/** A file as `words` of setfacl make it, and what would be recorded of it. */
async function recorded(folder: string, ...words: readonly string[]): Promise<Metadata> {
  const file = join(folder, 'recorded');
  fs.writeFileSync(file, '');
  fs.chmodSync(file, 0o600);
  execFileSync('setfacl', [...words, file]);
  const { mode, mtimeNs } = fs.statSync(file, { bigint: true });
  const read = await (await openXattrReader())!([file]);
  return { ...mine, mode: Number(mode & 0o7777n), mtimeNs, xattrs: read.found.get(file)! };
}

async function set(file: string, metadata: Metadata) {
  const setter = await openMetadataSetter(byNumber);
  await setter.set([{ place: file, path: 'file', isLink: false, metadata }]);
  return { problems: setter.problems(), unset: setter.unset };
}

const modeOf = (file: string) => (fs.statSync(file).mode & 0o7777).toString(8);

test.runIf(isRoot)('files/01: where an ACL cannot be set, its mask does not become rights of the group', async () => {
  const folder = await temporaryFolder();
  const metadata = await recorded(folder, '-m', 'u:12345:rw');
  expect(metadata.mode.toString(8)).toBe('660');
  const place = join(folder, 'without');
  fs.mkdirSync(place);
  // It has neither ACLs nor attributes.
  execFileSync('mount', ['-t', 'ramfs', 'lifeboat-test', place]);
  onTestFinished(() => void execFileSync('umount', [place]));
  fs.writeFileSync(join(place, 'file'), '');
  const { problems, unset } = await set(join(place, 'file'), metadata);
  expect(modeOf(join(place, 'file'))).toBe('600');
  expect(problems.map(({ message }) => message)).toEqual([
    'The attribute system.posix_acl_access of file could not be set: ENOTSUP.',
    'The permissions of file could not be set: it has others here.',
  ]);
  expect(['permissions', 'xattr system.posix_acl_access', 'time'].map((what) => unset.has('file', what))).toEqual([
    true,
    true,
    false,
  ]);
});

test('files/01: what the folder above hands down does not stay', async () => {
  const folder = await temporaryFolder();
  execFileSync('setfacl', ['-d', '-m', 'u:12345:rwx', folder]);
  const file = join(folder, 'file');
  fs.writeFileSync(file, '');
  expect((await set(file, { ...mine, mode: 0o640, mtimeNs: 1n })).problems).toEqual([]);
  expect(execFileSync('getfacl', ['-cp', file], { encoding: 'utf8' })).not.toContain('12345');
  expect(modeOf(file)).toBe('640');
});

test.runIf(isRoot)(
  'files/22: with another owner and group there are no set-uid bits and no rights for that group',
  async () => {
    const folder = await temporaryFolder({ open: true });
    const file = join(folder, 'file');
    fs.writeFileSync(file, '');
    fs.chownSync(file, 65534, 65534);
    const program = `
import { openMetadataSetter } from '${import.meta.dirname}/set.ts';
import { byNumber } from '${import.meta.dirname}/owners.ts';
const setter = await openMetadataSetter(byNumber);
const metadata = { uid: 0, gid: 0, mode: 0o6664, mtimeNs: 5n };
await setter.set([{ place: '${file}', path: 'file', isLink: false, metadata }]);
console.log(JSON.stringify(setter.problems()));`;
    const as = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const said = execFileSync('setpriv', [...as, process.execPath, '--input-type=module-typescript', '-e', program], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(modeOf(file)).toBe('644');
    expect(JSON.parse(said).map(({ code }: { code: string }) => code)).toEqual(['metadata-not-set', 'owner-not-set']);
  },
);

test('files/13: times come exactly, of any year', async () => {
  const file = join(await temporaryFolder(), 'file');
  fs.writeFileSync(file, '');
  for (const mtimeNs of [-14_182_939_750_000_000n, -1n, 0n, 1_714_979_289_999_999_999n, 4_000_000_000_000_000_001n]) {
    expect((await set(file, { ...mine, mode: 0o600, mtimeNs })).problems).toEqual([]);
    expect(fs.statSync(file, { bigint: true }).mtimeNs).toBe(mtimeNs);
  }
});

test('files/13: a time that the file system does not take is named, also where it takes another without a word', async () => {
  const file = join(await temporaryFolder(), 'file');
  fs.writeFileSync(file, '');
  const { problems } = await set(file, { ...mine, mode: 0o600, mtimeNs: 99_999_999_999_999_000_000_000n });
  const kept = fs.statSync(file, { bigint: true }).mtimeNs === 99_999_999_999_999_000_000_000n;
  expect(problems.map(({ code }) => code)).toEqual(kept ? [] : ['metadata-not-set']);
});

test('files/08: attributes of any size and number are read in parts', async () => {
  const folder = await temporaryFolder();
  const names = Array.from({ length: 3000 }, (_, at) => join(folder, String(at)));
  const program = `
import os, sys
for i in range(3000):
    p = os.path.join(sys.argv[1], str(i)); open(p, 'w').close(); os.setxattr(p, 'user.a', os.urandom(3000))`;
  execFileSync('python3', ['-c', program, folder]);
  const read = (await openXattrReader())!;
  // Names count too, so that one answer does not hold all of it however small the values are.
  const all = [...names, ...names];
  let found = 0;
  let calls = 0;
  for (let done = 0; done < all.length; calls++) {
    const part = await read(all.slice(done));
    expect(part.failed).toEqual([]);
    expect(part.done).toBeGreaterThan(0);
    for (const path of all.slice(done, done + part.done)) found += part.found.get(path)?.['user.a']?.length ?? 0;
    done += part.done;
  }
  expect(found).toBe(all.length * 3000);
  expect(calls).toBeGreaterThan(1);
});
