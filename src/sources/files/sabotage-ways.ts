import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Something in the tree, by its path in it. */
export interface Thing {
  readonly path: string;
  readonly type: 'file' | 'folder' | 'symlink' | 'fifo' | 'other';
  readonly size: number;
  readonly links: number;
  readonly inode: number;
  readonly attributes: readonly string[];
}

export interface Way {
  readonly name: string;
  readonly absent: string;
  /** @returns what is hurt, each of them moved aside first; a `copy` is put in its place. What is not there yet may be among them. */
  readonly pick: (tree: readonly Thing[]) => readonly Pick<Thing, 'path'>[] | undefined;
  readonly copy: boolean;
  /** `places`: where they are now, or their copies; `were`: where the untouched ones are. */
  readonly strike: (
    places: readonly string[],
    were: readonly string[],
    run: (...words: string[]) => Promise<void>,
  ) => Promise<void>;
  readonly onlyRoot?: boolean;
  /** Nothing is moved: to strike once more is to undo it. */
  readonly twice?: boolean;
}

const isFile = ({ type }: Thing) => type === 'file';
const hasBytes = (thing: Thing) => isFile(thing) && thing.size > 1;

function first(fits: (thing: Thing) => boolean): Way['pick'] {
  return (tree) => {
    const found = tree.find(fits);
    return found && [found];
  };
}

const anyFile = { absent: 'it has no file', pick: first(isFile), copy: true } as const;
const anyBytes = { absent: 'it has no file with bytes', pick: first(hasBytes), copy: true } as const;

async function change(
  place: string,
  was: string,
  run: (...words: string[]) => Promise<void>,
  work: (file: fs.FileHandle, size: number) => Promise<unknown>,
) {
  {
    await using file = await fs.open(place, 'r+');
    await work(file, (await file.stat()).size);
  }
  // By its time alone nobody shall see it.
  await run('touch', '-h', '-r', was, place);
}

/** Bytes are another each, and as many. */
async function turn(file: fs.FileHandle, at: number, count: number): Promise<void> {
  const bytes = Buffer.alloc(count);
  await file.read(bytes, 0, count, at);
  await file.write(
    bytes.map((byte) => byte ^ 0xff),
    0,
    count,
    at,
  );
}

const ofBytes: readonly Way[] = [
  { name: 'a file is lost', ...anyFile, copy: false, strike: async () => {} },
  {
    name: 'a file is empty',
    ...anyBytes,
    strike: ([place], [was], run) => change(place!, was!, run, (file) => file.truncate(0)),
  },
  {
    name: 'a file is cut short',
    ...anyBytes,
    strike: ([place], [was], run) => change(place!, was!, run, (file, size) => file.truncate(Math.floor(size / 2))),
  },
  {
    name: 'a byte is more',
    ...anyFile,
    strike: ([place], [was], run) =>
      change(place!, was!, run, (file, size) => file.write(Buffer.from('\n'), 0, 1, size)),
  },
  {
    name: 'the first byte is another',
    ...anyBytes,
    strike: ([place], [was], run) => change(place!, was!, run, (file) => turn(file, 0, 1)),
  },
  {
    name: 'the last byte is another',
    ...anyBytes,
    strike: ([place], [was], run) => change(place!, was!, run, (file, size) => turn(file, size - 1, 1)),
  },
  {
    ...{ name: 'all bytes are noise', absent: 'it has no file with bytes', copy: true },
    pick: first((thing) => hasBytes(thing) && thing.size < 16 << 20),
    strike: ([place], [was], run) => change(place!, was!, run, (file, size) => turn(file, 0, size)),
  },
  {
    ...{ name: 'a block in the middle is a hole', absent: 'it has no file larger than three blocks', copy: true },
    pick: first((thing) => isFile(thing) && thing.size > 12_288),
    strike: ([place], [was], run) =>
      change(place!, was!, run, () => run('fallocate', '--punch-hole', '--offset', '4096', '--length', '4096', place!)),
  },
  {
    ...{ name: 'two files are swapped', absent: 'it has no two files', copy: false },
    pick: (tree) => {
      const one = tree.find(hasBytes);
      const other = tree.find((thing) => hasBytes(thing) && thing !== one && thing.links === 1);
      return one && other && [one, other];
    },
    strike: async ([one, other], [wasOne, wasOther], run) => {
      await run('cp', '-a', wasOne!, other!);
      await run('cp', '-a', wasOther!, one!);
    },
  },
  { name: 'a file is a folder', ...anyFile, copy: false, strike: async ([place]) => void (await fs.mkdir(place!)) },
  { name: 'a file is a link to a file', ...anyFile, copy: false, strike: ([place], [was]) => fs.symlink(was!, place!) },
];

const beside = (path: string, name: string) => (dirname(path) === '.' ? name : join(dirname(path), name));

const ofNames: readonly Way[] = [
  {
    ...{
      name: 'a file is there that nobody wrote',
      absent: '',
      copy: false,
      pick: () => [{ path: 'written by nobody' }],
    },
    strike: ([place]) => fs.writeFile(place!, ''),
  },
  {
    ...{
      name: 'a folder is there that nobody made',
      absent: '',
      copy: false,
      pick: () => [{ path: 'made by nobody' }],
    },
    strike: async ([place]) => void (await fs.mkdir(place!)),
  },
  ...(
    [
      [
        'a name is in other letters',
        (path: string) =>
          path.replace(/[a-z](?=[^/]*$)/i, (one) =>
            one === one.toUpperCase() ? one.toLowerCase() : one.toUpperCase(),
          ),
      ],
      ['a name has lost its end', (path: string) => path.replace(/[^/]$/, '')],
      [
        'a name is in another form of Unicode',
        (path: string) => (path.normalize('NFC') === path ? path.normalize('NFD') : path.normalize('NFC')),
      ],
    ] as const
  ).map(
    ([name, rename]): Way => ({
      ...{ name, absent: 'no name of a file could be changed so', copy: false },
      pick: (tree) => {
        const names = new Set(tree.map(({ path }) => path));
        const found = tree.find(
          (thing) => isFile(thing) && /[^/]{2}$/.test(thing.path) && !names.has(rename(thing.path)),
        );
        return found && [found, { path: rename(found.path) }];
      },
      strike: ([, other], [was], run) => run('cp', '-a', was!, other!),
    }),
  ),
  {
    ...{ name: 'a file is in another folder', absent: 'it has no file in a folder', copy: false },
    pick: (tree) => {
      const found = tree.find((thing) => isFile(thing) && thing.path.includes('/'));
      return found && [found, { path: 'moved by nobody' }];
    },
    strike: ([, other], [was], run) => run('cp', '-a', was!, other!),
  },
  {
    ...{
      name: 'a folder is lost',
      absent: 'it has no folder',
      copy: false,
      pick: first(({ type }) => type === 'folder'),
    },
    strike: async () => {},
  },
  {
    ...{
      name: 'a symbolic link is lost',
      absent: 'it has no symbolic link',
      copy: false,
      pick: first(({ type }) => type === 'symlink'),
    },
    strike: async () => {},
  },
  {
    ...{
      name: 'a symbolic link points elsewhere',
      absent: 'it has no symbolic link',
      copy: false,
      pick: first(({ type }) => type === 'symlink'),
    },
    strike: ([place]) => fs.symlink('/nowhere', place!),
  },
  {
    ...{
      name: 'a symbolic link is the file itself',
      absent: 'it has no symbolic link',
      copy: false,
      pick: first(({ type }) => type === 'symlink'),
    },
    strike: ([place]) => fs.writeFile(place!, ''),
  },
  {
    ...{
      name: 'a hard link is a file of its own',
      absent: 'it has no hard link',
      copy: true,
      pick: first((thing) => isFile(thing) && thing.links > 1),
    },
    strike: async () => {},
  },
  {
    ...{ name: 'a file has a second name', absent: 'it has no file', copy: false },
    pick: (tree) => {
      const found = tree.find((thing) => isFile(thing) && thing.links === 1);
      return found && [found, { path: beside(found.path, 'linked by nobody') }];
    },
    strike: async ([place, other], [was], run) => {
      await run('cp', '-a', was!, place!);
      await fs.link(place!, other!);
    },
  },
  {
    ...{ name: 'a fifo is lost', absent: 'it has no fifo', copy: false, pick: first(({ type }) => type === 'fifo') },
    strike: async () => {},
  },
];

const anything = { absent: 'it has no file and no folder', copy: true, pick: first(isFile) } as const;
const aFolder = { absent: 'it has no folder', copy: false, pick: first(({ type }) => type === 'folder') } as const;
const withAttribute = (name: RegExp) =>
  first((thing) => thing.type === 'file' && thing.attributes.some((one) => name.test(one)));

const ofMetadata: readonly Way[] = [
  {
    name: 'others may read a file',
    ...anything,
    strike: async ([place]) => fs.chmod(place!, ((await fs.lstat(place!)).mode & 0o7777) ^ 0o004),
  },
  {
    name: 'a file runs with the rights of its owner',
    ...anything,
    strike: async ([place]) => fs.chmod(place!, ((await fs.lstat(place!)).mode & 0o7777) ^ 0o4000),
  },
  {
    ...{ name: 'a folder has other permissions', ...aFolder, twice: true },
    strike: async ([place]) => fs.chmod(place!, ((await fs.lstat(place!)).mode & 0o7777) ^ 0o001),
  },
  {
    name: 'a file belongs to another user',
    ...anything,
    onlyRoot: true,
    strike: async ([place]) => fs.lchown(place!, (await fs.lstat(place!)).uid + 1, (await fs.lstat(place!)).gid),
  },
  {
    name: 'a file belongs to another group',
    ...anything,
    onlyRoot: true,
    strike: async ([place]) => fs.lchown(place!, (await fs.lstat(place!)).uid, (await fs.lstat(place!)).gid + 1),
  },
  {
    name: 'a file is of another time',
    ...anything,
    strike: ([place], _, run) => run('touch', '-h', '-d', '@1000000000.000000001', place!),
  },
  {
    name: 'an attribute is there that nobody set',
    ...anything,
    strike: ([place], _, run) => run('setfattr', '-n', 'user.set_by_nobody', '-v', 'x', place!),
  },
  {
    ...{
      name: 'an attribute is lost',
      absent: 'no file has an attribute (user.…)',
      copy: true,
      pick: withAttribute(/^user\./),
    },
    strike: ([place], [was], run) =>
      run(
        'sh',
        '-c',
        'cp --no-preserve=xattr --remove-destination "$1" "$2" && chmod --reference="$1" "$2" && chown --reference="$1" "$2" && touch -r "$1" "$2"',
        'sh',
        was!,
        place!,
      ),
  },
  {
    name: 'another user may read a file (ACL)',
    ...anything,
    strike: ([place], _, run) => run('setfacl', '-m', 'u:54321:r', place!),
  },
  {
    ...{
      name: 'an ACL is lost',
      absent: 'no file has an ACL',
      copy: true,
      pick: withAttribute(/^system\.posix_acl_access$/),
    },
    strike: ([place], _, run) => run('setfacl', '-b', place!),
  },
];

export const ways: readonly Way[] = [...ofBytes, ...ofNames, ...ofMetadata];
