import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, lstatSync, read, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import type { StoredEntry } from '../../core/entry.ts';
import { type BytePath, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { withIds } from '../../metadata/acl.ts';
import type { Owners } from '../../metadata/owners.ts';
import { flagsName } from '../../metadata/program.ts';
import { openXattrReader, type Xattrs } from '../../metadata/read-xattrs.ts';
import type { Unset } from '../../metadata/set.ts';
import { type Beneath, openRegular } from '../beneath.ts';
import { codeOf, onDisk } from '../file-system.ts';
import type { Contents, Measurement } from '../source.ts';
import type { RootFacts } from './capture.ts';
import { entryOf } from './entry-of.ts';
import { ownersOf } from './restore.ts';
import { rootMetadata } from './set-metadata.ts';

/** Differences that are named; further ones are only counted. */
const NAMED = 5;
const BATCH = 1024;

const isRoot = process.geteuid?.() === 0;

/** Where the entries lie. */
export interface Restoration {
  readonly folder: Beneath;
  /** The same folder, for attributes, which are only compared. */
  readonly root: BytePath;
  /** Under which path an entry lies there. */
  readonly nameOf: (path: BytePath) => BytePath;
  /** Folders on the way to what was restored, which were there before it; '' is the folder itself. */
  readonly isOthers: (path: BytePath) => boolean;
  /** What lies there and is no entry. */
  readonly more: readonly BytePath[];
}

interface Comparison extends Restoration {
  readonly owners: Owners;
  readonly unset: Unset | undefined;
  readonly signal: AbortSignal;
}

/**
 * Compares every entry of a restore point with what lies below a folder: kind, size, bytes, links, permissions, times, extended
 * attributes, and for root owners. What the restore named as `unset` is not named again.
 */
export async function compareEntries(
  where: Restoration,
  contents: Contents,
  run: Run,
  unset?: Unset,
): Promise<Measurement['integrity'][number]> {
  const owners = await ownersOf(contents, false);
  const comparison: Comparison = { ...where, owners, unset, signal: run.signal };
  const readXattrs = await openXattrReader();
  let looked = 0;
  let differing = 0;
  let devices = 0;
  const named: string[] = [];
  const differs = (path: BytePath, why: string) => {
    differing++;
    if (named.length < NAMED) named.push(`${showPath(path)} ${why}`);
  };

  // Further names of a file that the restore point knows nothing of: who writes to one writes to the other.
  const links = new Map<BytePath, bigint>();
  const root = contents.facts.root as RootFacts | undefined;
  if (root?.type === 'folder' && !where.isOthers('')) {
    const entry = { ...rootMetadata(root), type: 'folder', path: '' } as const;
    const found = lstatSync(onDisk(where.root), { bigint: true });
    const xattrs = readXattrs && ((await readXattrs([where.root], run.signal)).found.get(where.root) ?? {});
    const why = differenceOfMetadata(entry, found, xattrs, comparison);
    if (why !== undefined) differs(where.root, why);
  }
  for await (const batch of inBatches(contents.entries())) {
    const places = batch.map(({ path }) => `${where.root}/${where.nameOf(path)}`);
    const attributes = new Map<BytePath, Xattrs>();
    for (let done = 0; readXattrs !== undefined && done < places.length; ) {
      const read = await readXattrs(places.slice(done), run.signal);
      for (const [path, xattrs] of read.found) attributes.set(path, xattrs);
      done += read.done;
    }
    for (const [at, entry] of batch.entries()) {
      run.signal.throwIfAborted();
      // A socket without its program is nothing, and a device is not made everywhere.
      if (entry.type === 'socket' || where.isOthers(entry.path)) continue;
      const found = lookAt(entry, comparison);
      if (typeof found !== 'string' && isDevice(entry) && found === undefined) {
        devices++;
        continue;
      }
      looked++;
      if (typeof found === 'object' && found.isFile() && entry.type === 'file' && found.nlink > 1n)
        links.set(entry.path, found.nlink - 1n);
      if (entry.type === 'hardlink') links.set(entry.target, (links.get(entry.target) ?? 0n) - 1n);
      const xattrs = readXattrs === undefined ? undefined : (attributes.get(places[at]!) ?? {});
      const why = typeof found === 'string' ? found : await differenceOf(entry, found, xattrs, comparison);
      if (why !== undefined) differs(entry.path, why);
    }
  }
  for (const [path, left] of links) if (left > 0n) differs(path, 'is the same file as another, which it was not');
  for (const path of where.more) differs(path, 'was not recorded');
  const more = differing > named.length ? `, and ${differing - named.length} more` : '';
  const unmade = devices === 0 ? '' : `; ${countOf(devices, 'device')} recorded and not made here`;
  const found = differing === 0 ? `${countOf(looked, 'entry', 'entries')} as recorded` : named.join(', ') + more;
  return { name: 'contents', ok: differing === 0, looked, detail: found + unmade };
}

async function* inBatches(entries: AsyncIterable<StoredEntry>): AsyncGenerator<StoredEntry[]> {
  let batch: StoredEntry[] = [];
  for await (const entry of entries) {
    batch.push(entry);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}

function isDevice({ type }: StoredEntry): boolean {
  return type === 'character-device' || type === 'block-device';
}

/** Undefined when it is not there; a text where that cannot be told. */
function lookAt(entry: StoredEntry, { folder, nameOf }: Comparison): BigIntStats | string | undefined {
  try {
    return lstatSync(onDisk(folder.place(nameOf(entry.path))), { bigint: true });
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : `cannot be read (${code})`;
  }
}

async function differenceOf(
  entry: StoredEntry,
  found: BigIntStats | undefined,
  xattrs: Xattrs | undefined,
  comparison: Comparison,
): Promise<string | undefined> {
  if (found === undefined) return 'is missing';
  try {
    return (
      (await differenceOfContent(entry, found, comparison)) ?? differenceOfMetadata(entry, found, xattrs, comparison)
    );
  } catch (error) {
    comparison.signal.throwIfAborted();
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'is missing' : `cannot be read (${code})`;
  }
}

async function differenceOfContent(
  entry: StoredEntry,
  found: BigIntStats,
  comparison: Comparison,
): Promise<string | undefined> {
  const { folder, nameOf, signal } = comparison;
  const there = entryOf(entry.path, found);
  const kind = entry.type === 'hardlink' ? 'file' : entry.type;
  if (there.type !== kind) return `is no ${kinds[kind]}`;
  const place = folder.place(nameOf(entry.path));
  switch (entry.type) {
    case 'symlink':
      return readlinkSync(onDisk(place), 'latin1') === entry.target ? undefined : 'points elsewhere';
    case 'hardlink':
      return await differenceOfLink(entry, found, comparison);
    case 'file':
      if (Number(found.size) !== entry.sizeBytes) return `has ${found.size} bytes instead of ${entry.sizeBytes}`;
      return (await hashOf(place, signal)) === entry.sha256 ? undefined : 'has other bytes';
    case 'character-device':
    case 'block-device': {
      const { major, minor } = entry.device ?? {};
      return there.device?.major === major && there.device?.minor === minor ? undefined : 'is another device';
    }
    default:
      return undefined;
  }
}

async function differenceOfLink(
  { path, target }: Extract<StoredEntry, { type: 'hardlink' }>,
  found: BigIntStats,
  { folder, nameOf, signal, unset }: Comparison,
): Promise<string | undefined> {
  if (lstatSync(onDisk(folder.place(nameOf(target))), { bigint: true }).ino === found.ino) return undefined;
  if (unset?.has(path, 'link') !== true) return 'is not the same file as its link';
  const [own, other] = [path, target].map((one) => hashOf(folder.place(nameOf(one)), signal));
  return (await own) === (await other) ? undefined : 'has other bytes than its link';
}

const kinds = {
  file: 'file',
  folder: 'folder',
  symlink: 'symbolic link',
  fifo: 'fifo',
  socket: 'socket',
  'character-device': 'device',
  'block-device': 'device',
} as const;

function differenceOfMetadata(
  entry: StoredEntry,
  found: BigIntStats,
  xattrs: Xattrs | undefined,
  { owners, unset }: Comparison,
): string | undefined {
  const { path, type, mode, uid, gid, mtimeNs } = entry;
  // A hard link's are those of its first name.
  if (type === 'hardlink') return undefined;
  const expected = (what: string) => unset?.has(path, what) !== true;
  const isOf = (id: bigint, recorded: number, here: number) => id === BigInt(recorded) || id === BigInt(here);
  const owned = isOf(found.uid, uid, owners.uid(uid)) && isOf(found.gid, gid, owners.gid(gid));
  if (isRoot && !owned && expected('owner')) return 'belongs to another user or group';
  if (type !== 'symlink' && Number(found.mode & 0o7777n) !== mode && expected('permissions')) {
    return 'has other permissions';
  }
  // A folder's time changes as soon as something comes into it, such as another dataset.
  if (type !== 'folder' && found.mtimeNs !== mtimeNs && expected('time')) return 'has another time';
  return xattrs === undefined ? undefined : differenceOfXattrs(entry, xattrs, owners, expected);
}

function differenceOfXattrs(
  { xattrs: recorded = {} }: StoredEntry,
  found: Xattrs,
  owners: Owners,
  expected: (what: string) => boolean,
): string | undefined {
  const here = withIds(recorded, owners);
  for (const [name, value] of Object.entries(recorded)) {
    // What a folder hands down to what is made in it is no difference.
    if (name === flagsName && [...value].every((letter) => found[name]?.includes(letter))) continue;
    if (found[name] === value || found[name] === here[name] || !expected(`xattr ${name}`)) continue;
    if (name === flagsName) return 'has other flags (chattr)';
    return `has ${found[name] === undefined ? 'no' : 'another'} attribute ${showPath(name)}`;
  }
  // Others may be the file system's own (a label); these were given to it by somebody.
  const given = Object.keys(found).find(
    (name) => /^(system\.posix_acl_|user\.|security\.capability$)/.test(name) && recorded[name] === undefined,
  );
  if (given === undefined) return undefined;
  return given.startsWith('system.')
    ? 'has an ACL that it had not'
    : `has an attribute ${showPath(given)} that it had not`;
}

export async function hashOf(place: BytePath, signal: AbortSignal): Promise<string | undefined> {
  const fd = openRegular(place);
  if (fd === undefined) return undefined;
  try {
    const sha256 = createHash('sha256');
    // Of thousands of small files, a large buffer for each would be collected again and again.
    const piece = Buffer.allocUnsafeSlow(Math.min(fstatSync(fd).size + 1, 256 << 10));
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await readInto(fd, piece, 0, piece.length, null);
      if (bytesRead === 0) return sha256.digest('hex');
      sha256.update(piece.subarray(0, bytesRead));
    }
  } finally {
    closeSync(fd);
  }
}

const readInto = promisify(read);
