import { constants, type FileHandle, link, lstat, mkdir, open, stat, statfs, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ByteRange, Destination, GetOptions, PutOptions, Stored } from '../destination.ts';
import { destinationDenied, destinationUnreachable, objectDamaged, objectExists, objectMissing } from '../errors.ts';
import { incomingFile, incomingName } from '../incoming.ts';
import { requireKey, requirePrefix } from '../key.ts';
import { type ListingBounds, listingGuard, mountListingBounds } from '../listing-bounds.ts';
import { requireSize } from '../object-sizes.ts';
import { errnoOf, failureOf, type Place } from './failure.ts';
import { type Folders, flushFolder, folderOf, foldersBelow } from './folders.ts';
import { removeLeftovers } from './incoming.ts';
import { linkInstead, openFolder } from './open-folder.ts';
import { walk } from './walk.ts';

export interface LocalOptions {
  readonly name: string;
  readonly path: string;
  readonly clock?: Clock;
  readonly listing?: ListingBounds;
}

/**
 * Makes the folder of a new destination, or takes an existing one, and opens it. Only this creates it: whoever merely opens a
 * destination must never fill the empty mount point of a disk that is not there.
 */
export async function createLocal(options: LocalOptions): Promise<Destination> {
  const root = resolve(options.path);
  try {
    const first = await mkdir(root, { recursive: true, mode: 0o700 });
    await mkdir(join(root, incomingName), { mode: 0o700 }).catch(unless('EEXIST'));
    await flushFolder(root);
    for (let made = root; first !== undefined && made.length >= first.length; made = dirname(made)) {
      await flushFolder(dirname(made));
    }
  } catch (error) {
    throw failureOf(error, { name: options.name, location: root });
  }
  return openLocal(options);
}

/**
 * Opens a folder that is a destination; nothing is changed in it. Throws `destination-unreachable` when it is not there: it may
 * not be mounted.
 */
export async function openLocal(options: LocalOptions): Promise<Destination> {
  const root = resolve(options.path);
  const { name, clock = systemClock } = options;
  const place = { name, location: root };
  const opened: Opened = { root, place, clock, folders: foldersBelow(name, root), isClean: false };
  const guard = <T>(work: () => Promise<T>) => guarded(work, place);
  await guard(() => requirePresence(root, place));
  const proveAbsent = (key: string) => async (error: unknown) => {
    if (!isAbsence(error)) throw error;
    await requirePresence(root, place);
    throw objectMissing({ destination: name, key });
  };

  return {
    ...place,
    type: 'local',
    capabilities: { conditionalCreate: true, checksums: false, objectLock: 'none', versions: false },

    async put(key, body, putOptions = {}) {
      requireKey(name, key);
      return guard(() => put(opened, key, body, putOptions));
    },

    async get(key, range, getOptions = {}) {
      requireKey(name, key);
      getOptions.signal?.throwIfAborted();
      return guard(async () => {
        await using file = await openObject(opened, key).catch(proveAbsent(key));
        // Awaited here: the file is closed when this function returns.
        return await read(file, key, range, name, getOptions);
      });
    },

    async stat(key) {
      requireKey(name, key);
      return guard(async () => {
        const found = await lookUp(opened, key).catch(proveAbsent(key));
        if (found.isSymbolicLink()) throw linkInstead(name, key);
        if (!found.isFile()) throw objectMissing({ destination: name, key });
        return { key, sizeBytes: found.size, modifiedMs: found.mtimeMs };
      });
    },

    async *list(prefix) {
      requirePrefix(name, prefix);
      try {
        await requirePresence(root, place);
        const guard = listingGuard(place, prefix, options.listing ?? mountListingBounds);
        yield* walk({ destination: name, root, guard }, prefix.slice(0, -1));
        // A disk that went away meanwhile leaves a listing that merely looks complete.
        await requirePresence(root, place);
      } catch (error) {
        throw failureOf(error, place);
      }
    },

    async delete(key) {
      requireKey(name, key);
      await guard(async () => {
        try {
          await using folder = await openFolder(name, root, folderOf(key));
          await unlink(folder.at(basename(key)));
          await folder.flush();
        } catch (error) {
          if (!isAbsence(error) && errnoOf(error) !== 'EISDIR') throw error;
          await requirePresence(root, place);
        }
      });
    },

    async freeBytes() {
      return guard(async () => {
        await requirePresence(root, place);
        const { bavail, bsize } = await statfs(root);
        return bavail * bsize;
      });
    },
  };
}

interface Opened {
  readonly root: string;
  readonly place: Place;
  readonly clock: Clock;
  readonly folders: Folders;
  /** What dead writers left was removed: before the first object is stored, and by nobody who only reads. */
  isClean: boolean;
}

async function lookUp({ root, place }: Opened, key: string) {
  await using folder = await openFolder(place.name, root, folderOf(key));
  return await lstat(folder.at(basename(key)));
}

/** Looked at first: opening a pipe would wait for its other end, and opening some devices does something. */
async function openObject({ root, place }: Opened, key: string): Promise<FileHandle> {
  await using folder = await openFolder(place.name, root, folderOf(key));
  const path = folder.at(basename(key));
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw linkInstead(place.name, key);
  if (!found.isFile() && !found.isDirectory()) {
    throw objectDamaged({ destination: place.name, key, why: 'it is not a regular file' });
  }
  return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
}

/**
 * Written under another name, flushed, then linked to its own: the link makes it visible whole, and fails when the name is
 * taken. Then the folder is flushed, so that the name survives a power cut.
 */
async function put(opened: Opened, key: string, body: Uint8Array, { signal }: PutOptions): Promise<Stored> {
  signal?.throwIfAborted();
  // Sending again after an interruption is usual, and reading is cheaper than writing.
  const taken = await lookUp(opened, key).then(() => true, falseIfAbsent);
  if (taken) return confirm(opened, key, body);
  await using incoming = await openIncoming(opened);
  const path = incoming.at(await incomingFile());
  try {
    await write(path, body, signal);
    if (await linkInto(opened, path, key)) {
      await opened.folders.flush(folderOf(key));
      return { sizeBytes: body.length, existed: false };
    }
  } finally {
    await unlink(path).catch(() => {});
  }
  return await confirm(opened, key, body);
}

/** The folder of half-written objects, made where a copy by hand lacks it. */
async function openIncoming(opened: Opened) {
  const { root, place, clock } = opened;
  const openIt = () => openFolder(place.name, root, incomingName);
  const incoming = await openIt().catch(async (error: unknown) => {
    if (!isAbsence(error)) throw error;
    await requirePresence(root, place);
    await mkdir(join(root, incomingName), { mode: 0o700 }).catch(unless('EEXIST'));
    return openIt();
  });
  if (!opened.isClean) {
    opened.isClean = true;
    await removeLeftovers(place.name, root, clock).catch(() => {});
  }
  return incoming;
}

const pieceBytes = 32 << 20;

async function write(path: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  for (let at = 0; at < body.length; ) {
    signal?.throwIfAborted();
    const { bytesWritten } = await file.write(body, at, Math.min(pieceBytes, body.length - at));
    at += bytesWritten;
  }
  await file.sync();
  signal?.throwIfAborted();
}

/** False when the name is taken. */
async function linkInto({ root, folders, place }: Opened, incoming: string, key: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    await folders.make(folderOf(key));
    try {
      await using folder = await openFolder(place.name, root, folderOf(key));
      await link(incoming, folder.at(basename(key)));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      if (errnoOf(error) !== 'ENOENT' || attempt > 1) throw error;
      await requirePresence(root, place);
      folders.forget();
    }
  }
}

/** The name is taken: by the same bytes, durably, or this throws `object-exists`. */
async function confirm(opened: Opened, key: string, body: Uint8Array): Promise<Stored> {
  const { place, folders } = opened;
  await using file = await openObject(opened, key).catch((error: unknown) => {
    throw objectDamaged.is(error) ? objectExists({ destination: place.name, key }, { cause: error }) : error;
  });
  const found = await file.stat();
  if (found.isDirectory()) {
    const why = `${key} is a folder, so no object can have that name`;
    throw destinationDenied({ destination: place.name, location: place.location, why });
  }
  if (!found.isFile() || found.size !== body.length || !(await holds(file, body))) {
    throw objectExists({ destination: place.name, key });
  }
  await file.sync();
  await folders.make(folderOf(key));
  await folders.flush(folderOf(key));
  return { sizeBytes: body.length, existed: true };
}

async function holds(file: FileHandle, body: Uint8Array): Promise<boolean> {
  const piece = Buffer.allocUnsafeSlow(Math.min(1 << 20, body.length));
  for (let at = 0; at < body.length; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, body.length - at), at);
    if (bytesRead === 0 || piece.compare(body, at, at + bytesRead, 0, bytesRead) !== 0) return false;
    at += bytesRead;
  }
  return true;
}

async function read(
  file: FileHandle,
  key: string,
  range: ByteRange | undefined,
  destination: string,
  options: GetOptions,
): Promise<Buffer> {
  const found = await file.stat();
  if (found.isDirectory()) throw objectMissing({ destination, key });
  const { offset, length } = range ?? { offset: 0, length: found.size };
  if (offset < 0 || length < 0) throw new RangeError(`no range of bytes: ${offset}, ${length}`);
  const damaged = (why: string) => objectDamaged({ destination, key, why });
  if (!found.isFile()) throw damaged('it is not a regular file');
  // Before the memory is taken: what asks may be damaged, too.
  if (offset + length > found.size) {
    throw damaged(`it has ${found.size} bytes, and bytes ${offset} to ${offset + length} were asked for`);
  }
  if (range === undefined) requireSize(destination, key, length, options);
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw damaged(`it ends after ${offset + at} of ${found.size} bytes`);
    at += bytesRead;
  }
  return bytes;
}

async function guarded<T>(work: () => Promise<T>, place: Place): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error, place);
  }
}

/** Throws `destination-unreachable` unless the folder bears the mark of a destination: it is there and mounted. */
async function requirePresence(root: string, place: Place): Promise<void> {
  const kindOf = (name: string) =>
    lstat(join(root, name)).then(
      (found) => (found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'odd'),
      falseIfAbsent,
    );
  if ((await kindOf(incomingName)) === 'folder') return;
  // A copy that was made by hand may lack the mark; the vault's own file is as good.
  if ((await kindOf('vault.json')) === 'file') return;
  const why = (await stat(root).then(() => true, falseIfAbsent))
    ? 'the folder is there but holds no destination; its disk may not be mounted'
    : 'the folder does not exist; its disk may not be mounted';
  throw destinationUnreachable({ destination: place.name, location: place.location, why });
}

function falseIfAbsent(error: unknown): false {
  if (isAbsence(error)) return false;
  throw error;
}

/** ENOTDIR: a part of the path is an object, so nothing can lie below it. */
function isAbsence(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
}

function unless(errno: string): (error: unknown) => void {
  return (error) => {
    if (errnoOf(error) !== errno) throw error;
  };
}
