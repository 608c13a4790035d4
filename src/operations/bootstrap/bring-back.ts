import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { isSafePath } from '../../core/paths.ts';
import { configurationUnusable } from '../configuration/errors.ts';
import { originalPath } from '../configuration/layout.ts';
import type { StoredConfiguration, StoredFile } from '../configuration/read-back.ts';
import { filesInTheWay, placeRefused } from './errors.ts';
import { neverWritten } from './never-written.ts';

/** Where the files of a configuration go, before any is written. */
export interface PlacePlan {
  /** Its own file. */
  readonly own: PlannedFile;
  /** The folder that it goes to, absolute, and the one that it came from. */
  readonly folder: string;
  readonly original: string;
  readonly files: readonly PlannedFile[];
  /** Files of the lost host that no backup could read, with the reason then. */
  readonly left: StoredConfiguration['left'];
  /** Every folder below it on the way to a file must be this user's: '/' where the vault says where to. */
  readonly from: string;
}

export type PlacedFiles = Pick<PlacePlan, 'files' | 'from'>;

export interface PlannedFile {
  /** Where it goes, absolute. */
  readonly path: string;
  /** Where the configuration looks for it; differs from `path` for what goes below the folder in its place. */
  readonly expected: string;
  /** Why it does, where no person said so. */
  readonly why?: string;
  readonly mode: number;
  /** Below a folder that a person named everything belongs to whoever runs this. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** It is there already, with the same bytes. */
  readonly existed: boolean;
  readonly bytes: Buffer;
}

/**
 * Everything below `into`, where what lay outside of the configuration's folder goes under `host/`; or to where it was. What others
 * than Lifeboat would obey goes below the folder in both. Looks, and writes nothing.
 * @throws `files-in-the-way`, `configuration-unusable`, `place-refused`
 */
export async function planPlaces(stored: StoredConfiguration, into: string | undefined): Promise<PlacePlan> {
  const { folder: original, left } = stored;
  if (!isAbsolute(original) || resolve(original) !== original) {
    throw configurationUnusable({ why: 'it does not say which folder it was in' });
  }
  const folder = into === undefined ? original : await realFolder(resolve(into));
  const from = into === undefined ? '/' : folder;
  const unsafe = into === undefined ? undefined : await unsafeFolder(folder);
  if (unsafe !== undefined && unsafe !== 'not there') throw placeRefused({ path: folder, why: unsafe });
  const files = await planFiles(stored.files, folder, from, into !== undefined);
  const own = files[stored.files.findIndex(({ path }) => path === stored.file)]!;
  if (own.why !== undefined) throw placeRefused({ path: own.expected, why: own.why });
  return { own, folder, original, files, left, from };
}

/** Those of them that are missed in a configuration that lies in `folder` now. @throws as `planPlaces` */
export async function planMissing(files: readonly StoredFile[], folder: string): Promise<PlacedFiles> {
  return { files: await planFiles(files, folder, '/', false), from: '/' };
}

async function planFiles(
  stored: readonly StoredFile[],
  folder: string,
  from: string,
  isNamed: boolean,
): Promise<PlannedFile[]> {
  const files: PlannedFile[] = [];
  const taken: string[] = [];
  for (const one of stored) {
    const planned = await planFile(one, folder, from, isNamed);
    const there = await contentAt(planned.path);
    const existed = there !== undefined && there !== 'other' && one.bytes.equals(there);
    if (there !== undefined && !existed) taken.push(planned.path);
    files.push({ ...planned, existed, bytes: one.bytes });
  }
  if (taken.length > 0) throw filesInTheWay({ files: taken });
  return files;
}

/** Writes what was planned. Nothing is overwritten, no link is followed, and no file gets more rights than it needs. */
export async function writePlaces({ files, from }: PlacedFiles): Promise<void> {
  for (const file of files) if (!file.existed) await write(file, from);
}

async function planFile(
  { path: stored, mode, uid, gid }: StoredFile,
  folder: string,
  from: string,
  isNamed: boolean,
): Promise<Omit<PlannedFile, 'existed' | 'bytes'>> {
  const expected = isSafePath(stored) ? originalPath(stored, folder) : undefined;
  if (expected === undefined)
    throw configurationUnusable({ why: `${JSON.stringify(stored)} is no part of a configuration` });
  const below = join(folder, 'host', expected);
  const plain = { expected, mode: mode & 0o755 };
  if (isNamed && stored.startsWith('host/')) return { ...plain, path: below };
  const why = neverWritten(expected, from) ?? (await unsafeWay(expected, from));
  if (why !== undefined) return { ...plain, path: below, why };
  const isTheirs = process.geteuid?.() === 0 && !isNamed;
  return { ...plain, path: expected, ...(isTheirs && { owner: { uid, gid } }) };
}

/** The folder that a person named: where it is, or will be, links followed. */
async function realFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined);
  if (real !== undefined) return real;
  const parent = dirname(folder);
  return parent === folder ? folder : join(await realFolder(parent), basename(folder));
}

/** Bytes of a plain file; `other` for anything else that is there, which is never opened: it may be a link, a pipe, a device. */
async function contentAt(path: string): Promise<Buffer | 'other' | undefined> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (!found.isFile()) return 'other';
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return await file.readFile();
  } catch {
    return 'other';
  }
}

/** Why somebody else could lead a write to `path` astray, looking at each folder below `from` that exists; undefined: nobody can. */
async function unsafeWay(path: string, from: string): Promise<string | undefined> {
  for (const folder of foldersTo(path, from)) {
    const why = await unsafeFolder(folder);
    if (why === 'not there') return undefined;
    if (why !== undefined) return why;
  }
  return undefined;
}

function foldersTo(path: string, from: string): string[] {
  const names = relative(from, dirname(path))
    .split('/')
    .filter((name) => name !== '');
  return names.map((_, at) => join(from, ...names.slice(0, at + 1)));
}

async function unsafeFolder(folder: string): Promise<string | undefined> {
  const found = await lstat(folder).catch((error: NodeJS.ErrnoException) => error.code);
  if (found === 'ENOENT') return 'not there';
  if (typeof found !== 'object') return `${folder} cannot be looked at`;
  if (found.isSymbolicLink()) return `${folder} is a link`;
  if (!found.isDirectory()) return `${folder} is no folder`;
  if (found.uid !== 0 && found.uid !== process.geteuid?.()) return `${folder} belongs to another user`;
  const othersWrite = (found.mode & 0o002) !== 0 || ((found.mode & 0o020) !== 0 && found.gid !== process.getegid?.());
  // In a sticky folder others can add, and not take away what is there.
  return othersWrite && (found.mode & 0o1000) === 0 ? `others may write to ${folder}` : undefined;
}

async function write({ path, bytes, mode, owner }: PlannedFile, from: string): Promise<void> {
  await mkdir(from, { recursive: true, mode: 0o700 });
  for (const folder of foldersTo(path, from)) {
    // One that appeared meanwhile is looked at, not trusted.
    await mkdir(folder, 0o755).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const why = await unsafeFolder(folder);
    if (why !== undefined) throw placeRefused({ path, why });
  }
  // Not even for a moment readable by more than it should be, and never through a link that somebody put there.
  await using file = await open(path, 'wx', mode & 0o700);
  await file.writeFile(bytes);
  if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  await file.chmod(mode);
  await file.sync();
}
