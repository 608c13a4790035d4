import { execFileSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { LyingBucket } from '../support/lying-bucket.ts';
import type { TestBucket } from '../support/rgw.ts';

/** A copy of the vault as whoever owns the place of it can change it: anything, and nobody is asked. */
export interface HostilePlace {
  keys(): Promise<string[]>;
  get(key: string): Promise<Buffer>;
  /** Over what is there. `storedMs`: by the place's clock, where it can be set. */
  put(key: string, bytes: Uint8Array, storedMs?: number): Promise<void>;
  remove(key: string): Promise<void>;
  /** What only the owner of a file system can do. */
  readonly disk?: HostileDisk;
  /** What only a server can do that lies. */
  readonly lies?: LyingBucket;
}

export interface HostileDisk {
  /** A sparse file of that size, in the place of what is there. */
  grow(key: string, sizeBytes: number): void;
  /** A link in the place of an object, or of a whole folder. */
  link(key: string, target: string): void;
  fifo(key: string): void;
  folder(key: string): void;
  date(key: string, storedMs: number): void;
  /** Every name in it with what shows when something was done to it. */
  look(): string;
}

/** A folder, here or of an SSH server. `owner`: whose files they are, where that is not ours. */
export function placeOnDisk(root: string, owner?: number): HostilePlace {
  const at = (key: string) => join(root, key);
  const own = (path: string) => {
    for (let made = path; owner !== undefined && made.length >= root.length; made = dirname(made))
      chownIfAny(made, owner);
  };
  const replace = (key: string, make: (path: string) => void) => {
    rmSync(at(key), { recursive: true, force: true });
    // Somebody may have put a link or a file in the way already: then that stays.
    if (!isFolder(dirname(at(key))) && existsSync(dirname(at(key)))) return;
    mkdirSync(dirname(at(key)), { recursive: true });
    make(at(key));
    own(at(key));
  };
  return {
    async keys() {
      const found = readdirSync(root, { recursive: true, withFileTypes: true });
      const names = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return names
        .map((path) => path.slice(root.length + 1))
        .filter((key) => !key.startsWith('.'))
        .sort();
    },
    get: async (key) => readFileSync(at(key)),
    async put(key, bytes, storedMs) {
      replace(key, (path) => writeFileSync(path, bytes));
      if (storedMs !== undefined) utimesSync(at(key), storedMs / 1000, storedMs / 1000);
    },
    remove: async (key) => rmSync(at(key), { force: true }),
    disk: {
      grow: (key, sizeBytes) =>
        replace(key, (path) => {
          closeSync(openSync(path, 'w'));
          truncateSync(path, sizeBytes);
        }),
      link(key, target) {
        if (existsSync(at(key)) && lstatSync(at(key)).isDirectory()) renameSync(at(key), `${at(key)}.moved`);
        replace(key, (path) => symlinkSync(target, path));
      },
      fifo: (key) => replace(key, (path) => void execFileSync('mkfifo', [path])),
      folder: (key) => replace(key, (path) => mkdirSync(path)),
      date: (key, storedMs) => utimesSync(at(key), storedMs / 1000, storedMs / 1000),
      look: () =>
        readdirSync(root, { recursive: true, encoding: 'utf8' })
          .sort()
          .map((name) => {
            const { mode, size, mtimeMs } = lstatSync(at(name));
            return `${name} ${mode} ${lstatSync(at(name)).isDirectory() ? '' : `${size} ${mtimeMs}`}`;
          })
          .join('\n'),
    },
  };
}

/** Fills it with what lies in a folder. */
export function fillDisk(root: string, from: string, owner?: number): void {
  cpSync(from, root, { recursive: true, preserveTimestamps: true });
  if (owner === undefined) return;
  for (const name of ['.', ...readdirSync(root, { recursive: true, encoding: 'utf8' })])
    chownSync(join(root, name), owner, owner);
}

/** What begins with `prefix` in a bucket, by the owner's own client: not by the product's adapter. */
export function placeInBucket({ client, bucket }: TestBucket, prefix: string, lies: LyingBucket): HostilePlace {
  const of = (key: string) => ({ Bucket: bucket, Key: `${prefix}/${key}` });
  return {
    async keys() {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }));
      return Contents.map(({ Key = '' }) => Key.slice(prefix.length + 1));
    },
    async get(key) {
      const { Body } = await client.send(new GetObjectCommand(of(key)));
      return Buffer.from(await Body!.transformToByteArray());
    },
    put: async (key, bytes) => void (await client.send(new PutObjectCommand({ ...of(key), Body: bytes }))),
    remove: async (key) => void (await client.send(new DeleteObjectCommand(of(key)))),
    lies,
  };
}

function isFolder(path: string): boolean {
  return existsSync(path) && lstatSync(path).isDirectory();
}

function chownIfAny(path: string, owner: number): void {
  if (existsSync(path) && !lstatSync(path).isSymbolicLink()) chownSync(path, owner, owner);
}
