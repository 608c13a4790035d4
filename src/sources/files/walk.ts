import * as fs from 'node:fs';
import type { Entry } from '../../core/entry.ts';
import { type BytePath, showPath } from '../../core/paths.ts';
import { datasetVanished } from '../errors.ts';
import { workPrefix } from '../exchange.ts';
import { codeOf, isGone, onDisk } from '../file-system.ts';
import { entryOf, permits } from './entry-of.ts';
import type { Excludes } from './excludes.ts';
import { type Scale, startScale, unseen } from './scale.ts';
import { isOfThisHost, type SettledUntil } from './settled.ts';

/** What left something out: the index of an exclude rule, or what no pattern says. */
export type LeftOutBy = number | 'cache-folder' | 'other-file-system' | 'leftover' | 'socket' | 'sqlite-index';

/** How much it was. */
export interface Weight {
  readonly files: number;
  readonly bytes: number;
  readonly folders: number;
  /** Not all of it was counted. */
  readonly more: boolean;
}

/** What a walk has to say besides its entries. */
export interface WalkEvents {
  leftOut(by: LeftOutBy, weight: Weight): void;
  /** The rule would take this, were it spelled otherwise. */
  spelled(rule: number, path: BytePath): void;
  vanished(): void;
  problem(code: 'file-unreadable' | 'folder-unreadable' | 'other-file-system' | 'link-apart', message: string): void;
}

/** For who looks and has nothing to tell. */
export const silent: WalkEvents = {
  leftOut() {},
  spelled() {},
  vanished() {},
  problem() {},
};

export interface WalkOptions {
  readonly root: BytePath;
  /** Only what lies at these paths in it, none inside another; the folders on the way are entries too. */
  readonly within?: readonly BytePath[];
  readonly excludes: Excludes;
  readonly cacheFolders: boolean;
  readonly oneFileSystem: boolean;
  /** Where file systems are mounted, absolute: what is left out is not looked at beyond them. A server that is gone answers nobody. */
  readonly mounts: ReadonlySet<BytePath>;
  /** A file that changed later gets no fingerprint, and is read again next time. */
  readonly settledUntil: SettledUntil;
  readonly events: WalkEvents;
}

export type MutableEntry = Entry & { xattrs?: Record<string, string> };

const BATCH = 256;
/** More names of linked files than this are not remembered: their further names become files of their own. */
const MAX_LINKS = 1_000_000;
const CACHE_TAG = 'CACHEDIR.TAG';
const CACHE_SIGNATURE = 'Signature: 8a477f597d28d172789f06886806bc55';

interface Folder {
  /** Path of its contents' names: '' for the root, else ending with `/`. */
  readonly prefix: BytePath;
  readonly names: readonly BytePath[];
  readonly device: bigint;
  /** The one that `oneFileSystem` stays on. */
  readonly fileSystem: bigint;
  readonly settledMs: bigint;
  next: number;
}

/**
 * Lists what is below `root` in the order of `comparePaths`, in batches. Synchronous calls are meant: for a tree of small
 * files they are several times faster than any asynchronous form, 3 µs an entry; the caller gives way between batches.
 */
export function* walk(options: WalkOptions): Generator<MutableEntry[], void, undefined> {
  const { root, excludes, events } = options;
  const rootFound = fs.lstatSync(onDisk(root), { bigint: true });
  const links: Surroundings['links'] = new Map();
  const wanted = options.within === undefined ? undefined : startWanted(options.within);
  const first = wanted === undefined ? list(root, '', options) : wanted.names('');
  const settledMs = options.settledUntil(root);
  const device = rootFound.dev;
  const stack: Folder[] = [{ prefix: '', names: first ?? [], device, fileSystem: device, settledMs, next: 0 }];
  const scale = startScale(options.mounts);
  if (wanted === undefined && first !== undefined) yield* weighCache(root, '', first, scale, options);
  let batch: MutableEntry[] = [];
  let place = 0;

  while (stack.length > 0) {
    const folder = stack.at(-1)!;
    const name = folder.names[folder.next++];
    if (name === undefined) {
      stack.pop();
      continue;
    }
    const path = folder.prefix + name;
    const file: BytePath = `${root === '/' ? '' : root}/${path}`;
    const given = wanted?.given(path);
    if (given === undefined && options.mounts.has(file) && excludes.match(path, name, true) >= 0) {
      events.leftOut(excludes.match(path, name, true), unseen);
      continue;
    }
    const found = look(file, path, events);
    if (found === undefined) continue;
    const isFolder = found.isDirectory();
    // What is named as a place is in it, whatever a rule says of its name.
    const rule = given === undefined ? excludes.match(path, name, isFolder) : -1;
    // A file may have any name; what a restore leaves is a folder.
    const by = rule >= 0 ? rule : isFolder && name.startsWith(workPrefix) ? 'leftover' : undefined;
    if (by !== undefined) {
      events.leftOut(by, yield* scale.weigh(file, found));
      continue;
    }
    if (isSqliteIndex(name, found, folder.names)) {
      events.leftOut('sqlite-index', { files: 1, bytes: Number(found.size), folders: 0, more: false });
      continue;
    }
    const spelled = excludes.nearly(path, name, isFolder);
    if (spelled >= 0) events.spelled(spelled, path);
    if (found.isSocket()) events.leftOut('socket', { files: 1, bytes: 0, folders: 0, more: false });
    if (given === 'place') place++;
    const entry = makeEntry(file, path, found, { root, links, place, settledMs: folder.settledMs, events });
    if (entry === undefined) continue;
    batch.push(entry);
    wanted?.found(path, found);
    if (isFolder) {
      const fileSystem = given === undefined ? folder.fileSystem : found.dev;
      if (options.oneFileSystem && found.dev !== fileSystem) {
        events.problem(
          'other-file-system',
          `${showPath(path)} is another file system: what is in it was not backed up. To have it in, say oneFileSystem: false, or make it a dataset of its own.`,
        );
        events.leftOut('other-file-system', isOfThisHost(file) ? yield* scale.weighInside(file) : unseen);
      } else {
        const names = given === 'way' ? wanted!.names(path) : list(file, path, options);
        if (names !== undefined) yield* weighCache(file, path, names, scale, options);
        const same = found.dev === folder.device;
        const settledMs = same ? folder.settledMs : options.settledUntil(file);
        const { dev } = found;
        if (names !== undefined) stack.push({ prefix: `${path}/`, names, device: dev, fileSystem, settledMs, next: 0 });
      }
    }
    if (batch.length >= BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
  refuseOther(root, rootFound);
  wanted?.refuseOthers(root === '/' ? '' : root);
}

/** The places that a walk is for, and the folders on the way to them. */
function startWanted(places: readonly BytePath[]) {
  const ways = new Map<BytePath, Set<BytePath>>();
  const seen = new Map<BytePath, fs.BigIntStats>();
  for (const place of places) {
    for (let at = place, up = parent(at); ; at = up, up = parent(at)) {
      const names = ways.get(up) ?? new Set();
      ways.set(up, names.add(at.slice(up === '' ? 0 : up.length + 1)));
      if (up === '') break;
    }
  }
  const given = (path: BytePath) => (places.includes(path) ? 'place' : ways.has(path) ? 'way' : undefined);
  return {
    given,
    /** Of those on the way, by byte. */
    names: (path: BytePath) => [...(ways.get(path) ?? [])].sort(),
    found(path: BytePath, found: fs.BigIntStats): void {
      if (given(path) === 'place') seen.set(path, found);
    },
    refuseOthers(prefix: BytePath): void {
      for (const place of places) {
        const path = `${prefix}/${place}`;
        const before = seen.get(place);
        if (before === undefined) throw datasetVanished({ path: showPath(path), why: 'went away while it was read' });
        // A file may be replaced at any time; a folder that is another one now was read in part at most.
        if (before.isDirectory()) refuseOther(path, before);
      }
    },
  };
}

function parent(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** SQLite's index of a log is shared memory of whole pieces of 32 KiB, beside the database and its log. A file of somebody's is none of that. */
function isSqliteIndex(name: BytePath, found: fs.BigIntStats, beside: readonly BytePath[]): boolean {
  if (!name.endsWith('-shm') || !found.isFile() || found.size === 0n || found.size % 32_768n !== 0n) return false;
  const database = name.slice(0, -'-shm'.length);
  return beside.includes(database) && beside.includes(`${database}-wal`);
}

/** Unmounted or replaced while it was listed, a folder would look as if all in it had been deleted. */
function refuseOther(root: BytePath, before: fs.BigIntStats): void {
  const now = fs.lstatSync(onDisk(root), { bigint: true, throwIfNoEntry: false });
  if (now?.dev === before.dev && now.ino === before.ino) return;
  throw datasetVanished({ path: showPath(root), why: 'was unmounted or replaced while it was read' });
}

function look(file: BytePath, path: BytePath, events: WalkEvents): fs.BigIntStats | undefined {
  try {
    return fs.lstatSync(onDisk(file), { bigint: true });
  } catch (error) {
    if (isGone(error)) events.vanished();
    else events.problem('file-unreadable', `${shortened(path)} could not be looked at: ${codeOf(error)}.`);
    return undefined;
  }
}

/** One that is too long for the system is too long for a sentence. */
function shortened(path: BytePath): string {
  return path.length <= 1000 ? showPath(path) : `${showPath(path.slice(0, 200))}… (a path of ${path.length} bytes)`;
}

function list(folder: BytePath, path: BytePath, options: WalkOptions): BytePath[] | undefined {
  try {
    const names = fs.readdirSync(onDisk(folder), 'latin1');
    if (options.cacheFolders && names.includes(CACHE_TAG) && isCacheFolder(folder)) return onlyTag;
    // By UTF-16 unit, which for bytes is by byte.
    return names.sort();
  } catch (error) {
    if (path === '') throw error;
    if (isGone(error)) options.events.vanished();
    else
      options.events.problem(
        'folder-unreadable',
        `The folder ${showPath(path)} could not be listed: ${codeOf(error)}.`,
      );
    return undefined;
  }
}

/** The names of a folder whose program marked it as a cache: the mark stays, everything else is left out. */
const onlyTag: BytePath[] = [CACHE_TAG];

function* weighCache(
  file: BytePath,
  path: BytePath,
  names: readonly BytePath[],
  scale: Scale,
  { events }: WalkOptions,
): Generator<never[], void> {
  if (names !== onlyTag) return;
  const { files, bytes, folders, more } = yield* scale.weighInside(file);
  const tag = look(`${file}/${CACHE_TAG}`, `${path}/${CACHE_TAG}`, events);
  events.leftOut('cache-folder', {
    files: Math.max(0, files - 1),
    bytes: bytes - Number(tag?.size ?? 0),
    folders,
    more,
  });
}

function isCacheFolder(folder: BytePath): boolean {
  try {
    const fd = fs.openSync(onDisk(`${folder}/${CACHE_TAG}`), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    try {
      const start = Buffer.alloc(CACHE_SIGNATURE.length);
      return fs.readSync(fd, start) === start.length && start.toString('latin1') === CACHE_SIGNATURE;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // Whether it can be read is found out when its turn comes; a tag that says nothing excludes nothing.
    return false;
  }
}

interface Surroundings {
  readonly root: BytePath;
  /** Files with further names: `device:inode` → the first name, and how many are still to come. */
  readonly links: Map<string, FirstName>;
  /** Which of the dataset's places it is in. */
  readonly place: number;
  readonly settledMs: bigint;
  readonly events: WalkEvents;
}

interface FirstName {
  readonly path: BytePath;
  readonly born: bigint;
  readonly place: number;
  left: number;
}

function makeEntry(
  file: BytePath,
  path: BytePath,
  found: fs.BigIntStats,
  { root, links, place, settledMs, events }: Surroundings,
): MutableEntry | undefined {
  if (found.isSymbolicLink()) {
    try {
      return { ...entryOf(path, found), type: 'symlink', target: fs.readlinkSync(onDisk(file), 'latin1') };
    } catch {
      events.vanished();
      return undefined;
    }
  }
  if (!found.isFile()) return entryOf(path, found) as MutableEntry;
  if (!permits(file, found)) {
    events.problem('file-unreadable', `${showPath(path)} could not be read: permission denied.`);
    return undefined;
  }
  if (found.nlink > 1n) {
    const key = `${found.dev}:${found.ino}`;
    const first = links.get(key);
    if (first !== undefined && isSameFile(`${root}/${first.path}`, first, found)) {
      if (first.place === place) {
        if (--first.left === 0) links.delete(key);
        return { ...entryOf(path, found), type: 'hardlink', target: first.path };
      }
      // Each place is brought back by itself.
      const names = `${showPath(path)} is the same file as ${showPath(first.path)}`;
      events.problem('link-apart', `${names}, in another place of the dataset: they come back as two files.`);
    }
    const left = Number(found.nlink) - 1;
    if (first !== undefined || links.size < MAX_LINKS) links.set(key, { path, born: found.birthtimeNs, place, left });
  }
  const fingerprint = found.ctimeMs >= settledMs ? undefined : fingerprintOf(found);
  const seen = { inode: found.ino, bornNs: found.birthtimeNs, ctimeNs: found.ctimeNs };
  const content = { from: 'file', file, seen, ...(fingerprint !== undefined && { fingerprint }) } as const;
  const entry = { ...entryOf(path, found), type: 'file', sizeBytes: Number(found.size), content } as const;
  return found.blocks * 512n < found.size ? { ...entry, sparse: true } : entry;
}

/**
 * Whether the first name still leads to the very file that `found` is of. An inode's number alone is used again as soon as its last
 * name is gone: a further file with it would be stored as the first one's bytes. (borg#1297)
 */
function isSameFile(file: BytePath, first: FirstName, found: fs.BigIntStats): boolean {
  if (first.born !== found.birthtimeNs) return false;
  try {
    const now = fs.lstatSync(onDisk(file), { bigint: true });
    return now.ino === found.ino && now.dev === found.dev && now.birthtimeNs === found.birthtimeNs;
  } catch {
    return false;
  }
}

/**
 * Equal means unchanged: no program can set ctime back. The device's number is not in it: it changes when disks are found in
 * another order, and then every file would be read again.
 */
function fingerprintOf(found: fs.BigIntStats): string {
  return `${found.size}:${found.mtimeNs}:${found.ctimeNs}:${found.ino}`;
}
