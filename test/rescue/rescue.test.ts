import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { comparePaths, fromBytes, pathFromText, toBytes } from '../../src/core/paths.ts';
import { generateIdentity } from '../../src/vault/age/identity.ts';
import { manifestKey, packKey } from '../../src/vault/format/keys.ts';
import { recordBytes, recordKey, type SnapshotRecord } from '../../src/vault/format/record.ts';
import { padme } from '../../src/vault/format/toc.ts';
import type { NewEntry } from '../support/build-vault.ts';
import { listedAt } from '../support/lists.ts';
import { file, metadata, signed, stage } from './stage.ts';

function ordered(entries: NewEntry[]): NewEntry[] {
  return entries.sort((a, b) => comparePaths(a.path, b.path));
}

const ODD_NAMES = [
  '-rf',
  '--help',
  ' leading and trailing ',
  'new\nline',
  'tab\there',
  'carriage\rreturn\r',
  'it\'s $(touch owned) `x` "quoted" \\back\\lash',
  '*?[a-z]{1,2}~#!&;|<>',
  '100%41',
  'invalid\xff\xfe\x80utf8',
  'bell\x07\x1b[31m\x7f',
  "$'a\\x41'",
  '\\n',
  pathFromText('Übermäßig 😀 名前'),
];

const shared = randomBytes(150_000);
const large = randomBytes(900_000);

function tree(): NewEntry[] {
  return ordered([
    { type: 'folder', path: 'docs', ...metadata, mode: 0o2750 },
    { type: 'folder', path: 'docs/empty', ...metadata, mode: 0o700, mtimeNs: 5n },
    file('docs/none'),
    file('docs/a.txt', Buffer.from('hello\n')),
    file('docs/shared-1', shared),
    file('docs/shared-2', Buffer.from('before'), shared, Buffer.from('after')),
    { ...file('docs/setuid', Buffer.from('x')), mode: 0o6755, mtimeNs: -1_500_000_000n },
    { ...file('docs/secret', Buffer.from('x')), mode: 0o000 },
    file('large', large),
    { ...file('sparse', Buffer.from('begin'), 5_000_000, Buffer.from('middle'), 3_000_000), sparse: true } as NewEntry,
    { ...file('hole', 1_000_000), sparse: true } as NewEntry,
    { type: 'hardlink', path: 'zlink', ...metadata, target: 'docs/a.txt' },
    {
      type: 'symlink',
      path: 'link',
      ...metadata,
      mode: 0o777,
      target: '../nowhere $(x) %41\n',
      mtimeNs: 7_000_000_001n,
    },
    { type: 'fifo', path: 'fifo', ...metadata, mode: 0o600 },
    { type: 'socket', path: 'socket', ...metadata },
    { type: 'folder', path: 'odd', ...metadata, mode: 0o555 },
    ...ODD_NAMES.flatMap((name): NewEntry[] => [
      file(`odd/${name}`, Buffer.from(name, 'latin1')),
      { type: 'folder', path: `odd/d${name}`, ...metadata, mode: 0o500 },
      { ...file(`odd/d${name}/x`, Buffer.from('x')), xattrs: { 'user.a': '\0=,%' } } as NewEntry,
      { type: 'hardlink', path: `odd/\xffh${name}`, ...metadata, target: `odd/${name}` },
      { type: 'symlink', path: `odd/l${name}`, ...metadata, target: name },
    ]),
  ]);
}

/** Everything that a restore writes, as text that can be compared. */
function written(root: string): string[] {
  const lines: string[] = [];
  const walk = (folder: string) => {
    for (const name of fs.readdirSync(toBytes(folder), { encoding: 'buffer' })) {
      const path = `${folder}/${fromBytes(name)}`;
      const stat = fs.lstatSync(toBytes(path), { bigint: true });
      lines.push(`${path.slice(root.length + 1)} ${describeFile(path, stat)}`);
      if (stat.isDirectory()) walk(path);
    }
  };
  walk(root);
  return lines.sort();
}

function describeFile(path: string, stat: fs.BigIntStats): string {
  const type = Number(stat.mode >> 12n).toString(8);
  const owner = process.getuid?.() === 0 ? `${stat.uid}:${stat.gid}` : '';
  const mode = stat.isSymbolicLink() ? '' : (Number(stat.mode) & 0o7777).toString(8);
  const content = stat.isFile()
    ? hex(fs.readFileSync(toBytes(path)))
    : stat.isSymbolicLink()
      ? fromBytes(fs.readlinkSync(toBytes(path), { encoding: 'buffer' }))
      : '';
  return [type, mode, owner, stat.mtimeNs, content].join(' ');
}

function expected(entries: readonly NewEntry[]): string[] {
  const types: Record<string, string> = { file: '10', hardlink: '10', folder: '4', symlink: '12', fifo: '1' };
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const lines = entries.flatMap((entry) => {
    if (entry.type === 'socket') return [];
    const inode = entry.type === 'hardlink' ? byPath.get(entry.target)! : entry;
    const owner = process.getuid?.() === 0 ? `${inode.uid}:${inode.gid}` : '';
    const mode = inode.type === 'symlink' ? '' : inode.mode.toString(8);
    const content = inode.type === 'file' ? hex(bytesOf(inode)) : inode.type === 'symlink' ? inode.target : '';
    return [`${entry.path} ${[types[entry.type], mode, owner, inode.mtimeNs, content].join(' ')}`];
  });
  return lines.sort();
}

function bytesOf(entry: Extract<NewEntry, { type: 'file' }>): Uint8Array {
  return Buffer.concat(entry.parts.map((part) => (typeof part === 'number' ? Buffer.alloc(part) : part)));
}

function hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function treeVault() {
  const at = await stage();
  const entries = tree();
  await at.builder.commit({ dataset: 'uploads', kind: 'files', time: '2026-01-02T03:04:05.678Z', entries: [] });
  const record = await at.builder.commit({
    dataset: 'uploads',
    kind: 'files',
    time: '2026-01-03T00:00:00.000Z',
    entries,
  });
  at.save();
  return { ...at, entries, record };
}

describe('rescue.sh, with nothing but bash, age, zstd, awk and coreutils', () => {
  test('restores every kind of entry, every odd name and all metadata, and says that all files match', async () => {
    const at = await treeVault();
    const run = at.restore('uploads');
    const files = at.entries.filter((entry) => entry.type === 'file').length;
    expect(run.stderr).toBe('');
    expect(run.stdout).toContain(`${files} of ${files} files match their SHA-256.`);
    expect(run.stdout).not.toContain('could not be done');
    expect(run.status).toBe(0);
    expect(written(at.target)).toEqual(expected(at.entries));
    expect(fs.statSync(join(at.target, 'sparse')).blocks * 512).toBeLessThan(200_000);
    expect(fs.statSync(join(at.target, 'docs/a.txt')).ino).toBe(fs.statSync(join(at.target, 'zlink')).ino);
    expect(fs.readdirSync(join(at.folder, 'tmp'))).toEqual([]);
  });

  test('lists restore points, and takes one by time, by part of a time and by id', async () => {
    const at = await treeVault();
    const list = at.list();
    expect(list.stdout.split('\n').filter((line) => line.startsWith('example/uploads@'))).toEqual([
      expect.stringMatching(/^example\/uploads@20260102T030405\.678Z +[0-9A-Z]{26} +files +0 +0$/),
      expect.stringMatching(
        new RegExp(
          `^example/uploads@20260103T000000\\.000Z +${at.record.id} +files +${padme(at.entries.length)} +\\d+$`,
        ),
      ),
    ]);
    const small = at.restore('uploads@2026-01-02T03:04', join(at.folder, 'by-time'));
    expect(small.stdout).toContain('0 of 0 files match');
    expect(small.status).toBe(0);
    const byId = at.restore(`uploads@${at.record.id}`, join(at.folder, 'by-id'));
    expect(byId.stdout).toContain('20260103T000000.000Z');
    const none = at.restore('uploads@2027', join(at.folder, 'none'));
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("no restore point 'uploads@2027'")]);
  });

  test('a damaged pack costs the files in it, which are named, and the exit code', async () => {
    const at = await treeVault();
    const [victim] = listedAt(at.vault, at.record).find(([, sizeBytes]) => sizeBytes > 150_000)!;
    const path = join(at.vault, packKey(victim));
    const bytes = fs.readFileSync(path);
    bytes[100_000]! ^= 1;
    fs.writeFileSync(path, bytes);
    const run = at.restore('uploads');
    expect(run.status).toBe(1);
    expect(run.stdout).toContain(victim);
    expect(run.stdout).toMatch(/These files are NOT what was backed up:\n'\.\//);
    const [, matched, all] = /(\d+) of (\d+) files match/.exec(run.stdout)!;
    expect(Number(matched)).toBeLessThan(Number(all));
    // What it calls right is right, and what is wrong was called so.
    const wrong = expected(at.entries).filter((line) => !written(at.target).includes(line));
    expect(wrong.length).toBeGreaterThanOrEqual(Number(all) - Number(matched));
  });

  test('a missing pack, a damaged manifest and a wrong identity are each said plainly', async () => {
    const at = await treeVault();
    const manifest = join(at.vault, manifestKey(at.record.manifest[0]));
    const sound = fs.readFileSync(manifest);
    const flipped = Uint8Array.from(sound);
    flipped[300]! ^= 1;
    fs.writeFileSync(manifest, flipped);
    expect(at.restore('uploads')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('its SHA-256 is not its name'),
    });
    fs.writeFileSync(manifest, sound);

    const key = fs.readFileSync(join(at.folder, 'key'));
    fs.writeFileSync(join(at.folder, 'key'), `${generateIdentity().identity}\n`);
    expect(at.restore('uploads')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('opens no key of epoch'),
    });
    fs.writeFileSync(join(at.folder, 'key'), key);

    for (const [id] of listedAt(at.vault, at.record)) fs.rmSync(join(at.vault, packKey(id)));
    expect(at.restore('uploads')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('list of files is damaged'),
    });
  });

  test('never writes into a folder that holds something', async () => {
    const at = await treeVault();
    fs.mkdirSync(at.target);
    fs.writeFileSync(join(at.target, '.mine'), 'mine');
    expect(at.restore('uploads')).toMatchObject({ status: 2, stderr: expect.stringContaining('is not empty') });
    expect(fs.readdirSync(at.target)).toEqual(['.mine']);
  });

  test('a dump comes out as a file, with the command that loads it', async () => {
    const at = await stage();
    const entries = [file('app.pgdump', large), file('globals.sql', Buffer.from('CREATE ROLE app;\n'))];
    await at.builder.commit({ dataset: 'app-db', kind: 'postgres', time: '2026-01-02T00:00:00.000Z', entries });
    at.save();
    const run = at.restore('app-db');
    expect(run.status).toBe(0);
    expect(run.stdout).toContain(`psql -X -d postgres -f ${at.target}/globals.sql`);
    expect(run.stdout).toContain(`pg_restore --create --exit-on-error -d postgres ${at.target}/app.pgdump`);
    expect(hex(fs.readFileSync(join(at.target, 'app.pgdump')))).toBe(hex(large));
  });

  test('a file of hundreds of extents is put together in order', async () => {
    const at = await stage();
    const block = (seed: number) => createHash('sha512').update(String(seed)).digest();
    const parts = Array.from({ length: 1_300 }, (_, at) => block(at));
    const other = Array.from({ length: 650 }, (_, at) => block(at * 2));
    await at.builder.commit({
      dataset: 'd',
      kind: 'files',
      time: '2026-01-02T00:00:00.000Z',
      // The second shares every other block with the first, so that no two of its pieces are neighbours.
      entries: [file('a', ...parts), file('b', ...other)],
    });
    at.save();
    const run = at.restore('d');
    expect(run.stdout).toContain('2 of 2 files match');
    expect(run.status).toBe(0);
  });
});

describe('a hostile list of files', () => {
  test.for([
    ['a path that climbs', '../escaped'],
    ['a path that climbs further on', 'a/../../escaped'],
    ['an absolute path', '/tmp/escaped'],
    ['escaped dots', '%2e%2e/escaped'],
    ['an escaped slash', '..%2fescaped'],
    ['a NUL', 'a%00b'],
    ['a broken escape', 'a%0gb'],
  ])('is refused before anything is written: %s', async ([, path]) => {
    const at = await stage();
    await at.builder.commit({
      dataset: 'd',
      kind: 'files',
      time: '2026-01-02T00:00:00.000Z',
      entries: [file('first', Buffer.from('x')), file('hostile', Buffer.from('x'))],
      amendBody: (body) => body.replace('hostile', path!),
    });
    at.save();
    const run = at.restore('d');
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining('entry 2: a ') });
    expect(fs.readdirSync(at.target)).toEqual([]);
  });

  test.for([
    ['mode', '\t644\t', '\t644;touch owned\t'],
    ['owner', '\t1000\t', '\t$(touch owned)\t'],
    ['time', '.123456789\t', '.1234`touch owned`\t'],
    ['extent', ':0:1\t', ':0$(touch owned):1\t'],
  ])('holds no commands: %s', async ([, was, becomes]) => {
    const at = await stage();
    await at.builder.commit({
      dataset: 'd',
      kind: 'files',
      time: '2026-01-02T00:00:00.000Z',
      entries: [file('a', Buffer.from('x'))],
      amendBody: (body) => {
        expect(body).toContain(was);
        return body.replace(was!, () => becomes!);
      },
    });
    at.save();
    expect(at.restore('d').status).toBe(2);
    expect(fs.readdirSync(at.target)).toEqual([]);
  });

  test('keeps two systems apart, and takes no record that lies, is dated or is chained otherwise than its manifest says', async () => {
    const at = await stage();
    const commit = (system: string, dataset: string, day: number) =>
      at.builder.commit({
        ...{ system, dataset, kind: 'files', time: `2026-01-0${day}T00:00:00.000Z` },
        entries: [file('of', Buffer.from(`${system} ${dataset} ${day}`))],
      });
    const first = await commit('lab', 'odd', 2);
    await commit('lab', 'only', 2);
    const theirs = await commit('lab3', 'odd', 3);
    at.save();
    const got = (point: string) => {
      const target = join(at.folder, randomBytes(8).toString('hex'));
      const run = at.restore(point, target);
      return run.status === 0 ? fs.readFileSync(join(target, 'of'), 'utf8') : run.stderr;
    };
    expect(got('odd')).toMatch(/several systems have a dataset odd.*lab\/odd lab3\/odd/);
    expect([got('lab/odd'), got('lab3/odd'), got('only')]).toEqual(['lab odd 2', 'lab3 odd 3', 'lab only 2']);
    // Signed anew by the same writer: what the manifest says decides.
    const again = (record: SnapshotRecord) => signed(record, at.builder.signingKey.privateKey);
    for (const [as, line] of [
      [first, { ...theirs, system: 'lab', time: first.time, id: first.id }],
      [
        { ...first, time: '2026-01-09T00:00:00.000Z' },
        { ...first, time: '2026-01-09T00:00:00.000Z' },
      ],
      [first, { ...first, previous: 'ab'.repeat(32), sequence: 9 }],
    ] as const) {
      fs.rmSync(at.vault, { recursive: true });
      at.save();
      fs.writeFileSync(join(at.vault, recordKey(as)), recordBytes(again(line)));
      expect(got('lab/odd')).toMatch(/not one of format 1 for this restore point/);
    }
    // Under another's name none counts.
    fs.rmSync(at.vault, { recursive: true });
    at.save();
    fs.writeFileSync(join(at.vault, recordKey(first)), recordBytes(theirs));
    expect(got('lab/odd')).toMatch(/no restore point/);
  });

  test('never makes rescue.sh write outside its target', async () => {
    const at = await stage();
    const outside = join(at.folder, 'outside');
    fs.mkdirSync(outside);
    fs.writeFileSync(join(outside, 'kept'), 'kept');
    fs.chmodSync(join(outside, 'kept'), 0o640);
    // A link, and entries that would go through it if links were made first.
    const entries: NewEntry[] = [
      { type: 'symlink', path: 'door', ...metadata, target: outside },
      file('door/kept', Buffer.from('overwritten')),
      file('door/new', Buffer.from('new')),
      { type: 'symlink', path: 'door/link', ...metadata, target: '/etc' },
      { type: 'hardlink', path: 'twin', ...metadata, target: 'door/kept' },
    ];
    await at.builder.commit({ dataset: 'd', kind: 'files', time: '2026-01-02T00:00:00.000Z', entries });
    at.save();
    const run = at.restore('d');
    expect(fs.readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
    expect(fs.statSync(join(outside, 'kept')).mode & 0o777).toBe(0o640);
    expect(fs.readdirSync(outside)).toEqual(['kept']);
    expect(run).toMatchObject({ status: 2, stderr: expect.stringContaining('a path in what is no folder') });
  });
});
