import { constants, type FileHandle, link, mkdir, open, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.ts';
import type { ByteRange, Destination, PutOptions, Stored } from '../destination.ts';
import { destinationDenied, destinationUnreachable, objectDamaged, objectExists, objectMissing } from '../errors.ts';
import { incomingFile, incomingName } from '../incoming.ts';
import { requireKey, requirePrefix } from '../key.ts';
import { errnoOf, failureOf, type Place } from './failure.ts';
import { type Folders, flushFolder, foldersBelow } from './folders.ts';
import { removeLeftovers } from './incoming.ts';
import { walk } from './walk.ts';

export interface LocalOptions {
  readonly name: string;
  readonly path: string;
  readonly clock?: Clock;
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

/** Opens a folder that is a destination. Throws `destination-unreachable` when it is not there: it may not be mounted. */
export async function openLocal(options: LocalOptions): Promise<Destination> {
  const root = resolve(options.path);
  const place = { name: options.name, location: root };
  const folders = foldersBelow(root);
  const guard = <T>(work: () => Promise<T>) => guarded(work, place);
  await guard(async () => {
    await requirePresence(root, place);
    await removeLeftovers(root, options.clock ?? systemClock);
  });
  const proveAbsent = (key: string) => async (error: unknown) => {
    if (!isAbsence(error)) throw error;
    await requirePresence(root, place);
    throw objectMissing({ destination: options.name, key });
  };

  return {
    ...place,
    type: 'local',
    capabilities: { conditionalCreate: true, checksums: false, objectLock: 'none', versions: false },

    async put(key, body, putOptions = {}) {
      requireKey(options.name, key);
      return guard(() => put({ root, place, folders }, key, body, putOptions));
    },

    async get(key, range, getOptions) {
      requireKey(options.name, key);
      getOptions?.signal?.throwIfAborted();
      return guard(async () => {
        // Not blocking: a pipe of that name must not hold us for ever.
        const flags = constants.O_RDONLY | constants.O_NONBLOCK;
        await using file = await open(join(root, key), flags).catch(proveAbsent(key));
        // Awaited here: the file is closed when this function returns.
        return await read(file, key, range, options.name);
      });
    },

    async stat(key) {
      requireKey(options.name, key);
      return guard(async () => {
        const found = await stat(join(root, key)).catch(proveAbsent(key));
        if (!found.isFile()) throw objectMissing({ destination: options.name, key });
        return { key, sizeBytes: found.size, modifiedMs: found.mtimeMs };
      });
    },

    async *list(prefix) {
      requirePrefix(options.name, prefix);
      try {
        await requirePresence(root, place);
        yield* walk(root, prefix.slice(0, -1));
        // A disk that went away meanwhile leaves a listing that merely looks complete.
        await requirePresence(root, place);
      } catch (error) {
        throw failureOf(error, place);
      }
    },

    async delete(key) {
      requireKey(options.name, key);
      await guard(async () => {
        try {
          await unlink(join(root, key));
        } catch (error) {
          if (!isAbsence(error) && errnoOf(error) !== 'EISDIR') throw error;
          await requirePresence(root, place);
          return;
        }
        await folders.flush(dirname(key));
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
  readonly folders: Folders;
}

/**
 * Written under another name, flushed, then linked to its own: the link makes it visible whole, and fails when the name is
 * taken. Then the folder is flushed, so that the name survives a power cut.
 */
async function put(opened: Opened, key: string, body: Uint8Array, { signal }: PutOptions): Promise<Stored> {
  const { root, folders } = opened;
  signal?.throwIfAborted();
  const target = join(root, key);
  // Sending again after an interruption is usual, and reading is cheaper than writing.
  if (await isThere(target)) return confirm(opened, key, body);
  const incoming = join(root, incomingName, await incomingFile());
  try {
    await write(opened, incoming, body, signal);
    if (await linkInto(opened, incoming, key)) {
      await folders.flush(dirname(key));
      return { sizeBytes: body.length, existed: false };
    }
  } finally {
    await unlink(incoming).catch(() => {});
  }
  return confirm(opened, key, body);
}

const pieceBytes = 32 << 20;

async function write(opened: Opened, path: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  const create = () => open(path, 'wx', 0o600);
  await using file = await create().catch(async (error: unknown) => {
    if (!isAbsence(error)) throw error;
    await remakeIncoming(opened);
    return create();
  });
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
    await folders.make(dirname(key) === '.' ? '' : dirname(key));
    try {
      await link(incoming, join(root, key));
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
async function confirm({ root, place, folders }: Opened, key: string, body: Uint8Array): Promise<Stored> {
  await using file = await open(join(root, key), constants.O_RDONLY | constants.O_NONBLOCK);
  const found = await file.stat();
  if (found.isDirectory()) {
    const why = `${key} is a folder, so no object can have that name`;
    throw destinationDenied({ destination: place.name, location: place.location, why });
  }
  if (!found.isFile() || found.size !== body.length || !(await holds(file, body))) {
    throw objectExists({ destination: place.name, key });
  }
  await file.sync();
  const folder = dirname(key) === '.' ? '' : dirname(key);
  await folders.make(folder);
  await folders.flush(folder);
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

async function read(file: FileHandle, key: string, range: ByteRange | undefined, destination: string): Promise<Buffer> {
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
  if (await isThere(join(root, incomingName))) return;
  // A copy that was made by hand may lack the mark; the vault's own file is as good.
  if (await isThere(join(root, 'vault.json'))) return;
  const why = (await isThere(root))
    ? 'the folder is there but holds no destination; its disk may not be mounted'
    : 'the folder does not exist; its disk may not be mounted';
  throw destinationUnreachable({ destination: place.name, location: place.location, why });
}

async function remakeIncoming({ root, place }: Opened): Promise<void> {
  await requirePresence(root, place);
  await mkdir(join(root, incomingName), { mode: 0o700 }).catch(unless('EEXIST'));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (isAbsence(error)) return false;
      throw error;
    },
  );
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
