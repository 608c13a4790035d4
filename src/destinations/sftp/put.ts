import type { Clock } from '../../core/clock.ts';
import type { Stored } from '../destination.ts';
import { destinationDenied, objectExists } from '../errors.ts';
import { incomingFile, incomingName } from '../incoming.ts';
import { failureOf, isAbsence, Refusal, status } from './failure.ts';
import { type Folders, flushFolder, folderOf } from './folders.ts';
import { removeLeftovers } from './leftovers.ts';
import { inPieces } from './pieces.ts';
import { holds, type Root, requirePresence, requireRealFolders, statOrAbsent } from './read.ts';
import type { Session } from './session.ts';

export interface Writing {
  readonly root: Root;
  readonly folders: Folders;
  /** Turns false when the server forbids it: then what has no use any more stays, and does no harm. */
  mayRemove: boolean;
  /** What dead writers left was removed: before the first object is stored, and by nobody who only reads. */
  isClean: boolean;
  readonly clock: Clock;
}

interface Body {
  readonly body: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/**
 * Written under another name, flushed, then linked to its own: the link makes it visible whole, and fails when the name is
 * taken. Then the folder is flushed, so that the name survives a power cut.
 */
export async function putObject(session: Session, writing: Writing, key: string, what: Body): Promise<Stored> {
  const { root } = writing;
  const target = root.at(key);
  // Sending again after an interruption is usual, and reading is cheaper than writing.
  const [taken] = await Promise.all([statOrAbsent(session, target), requireRealFolders(session, root, key)]);
  if (taken !== undefined) return confirm(session, writing, key, what);
  if (!writing.isClean) {
    writing.isClean = true;
    writing.mayRemove = await removeLeftovers(session, root, writing.clock);
  }
  const incoming = `${root.at(incomingName)}/${await incomingFile()}`;
  try {
    await write(session, root, incoming, what);
    if (await publish(session, writing, incoming, key)) {
      await flushFolder(session, root.at(folderOf(key)));
      return { sizeBytes: what.body.length, existed: false };
    }
  } catch (error) {
    // Before the half-written file goes: a full disk must be seen full.
    throw await failureOf(error, root.place, { session, root: root.path, sizeBytes: what.body.length });
  } finally {
    await removeIncoming(session, writing, incoming);
  }
  return confirm(session, writing, key, what);
}

async function write(session: Session, root: Root, path: string, { body, signal }: Body): Promise<void> {
  const handle = await session.create(path).catch(async (error: unknown) => {
    if (!isAbsence(error)) throw error;
    await requirePresence(session, root);
    await session.makeFolder(root.at(incomingName)).catch(() => {});
    return session.create(path);
  });
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  try {
    const pieces = { sizeBytes: bytes.length, pieceBytes: session.writeBytes, signal };
    await inPieces(session.inTurn, pieces, (at, size) => session.write(handle, bytes.subarray(at, at + size), at));
    await session.fsync?.(handle);
  } catch (error) {
    session.close(handle).catch(() => {});
    throw error;
  }
  // Where there is no fsync, closing is when some servers find out that they could not store it.
  await session.close(handle);
  signal?.throwIfAborted();
}

/** False when the name is taken. */
async function publish(session: Session, writing: Writing, incoming: string, key: string): Promise<boolean> {
  const { root, folders } = writing;
  const target = root.at(key);
  for (let attempt = 1; ; attempt++) {
    await folders.make(session, folderOf(key));
    try {
      await nameIt(session, incoming, target);
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // That a name is taken has no code of its own.
      if ((await statOrAbsent(session, target)) !== undefined) return false;
      if (!isAbsence(error) || attempt > 1) throw unpublished(error, writing);
      await requirePresence(session, root);
      folders.forget();
    }
  }
}

/** A hard link where the server has them: it never replaces, whoever else writes. Else renaming, which must not replace either. */
async function nameIt(session: Session, incoming: string, target: string): Promise<void> {
  if (session.link === undefined) return session.rename(incoming, target);
  await session.link(incoming, target).catch(async (error: unknown) => {
    if (!(error instanceof Refusal) || isAbsence(error)) throw error;
    if ((await statOrAbsent(session, target)) !== undefined) throw error;
    // Its file system may know no hard links.
    await session.rename(incoming, target).catch((second: unknown) => {
      throw second instanceof Refusal && second.status === status.permissionDenied ? error : second;
    });
  });
}

function unpublished(error: Refusal, { root: { place } }: Writing): unknown {
  if (error.status !== status.permissionDenied) return error;
  const why = 'this account may neither link nor rename, so that no object can get its name';
  return destinationDenied({ destination: place.name, location: place.location, why }, { cause: error });
}

async function removeIncoming(session: Session, writing: Writing, path: string): Promise<void> {
  if (!writing.mayRemove) return;
  await session.remove(path).catch((error: unknown) => {
    if (error instanceof Refusal && error.status === status.permissionDenied) writing.mayRemove = false;
  });
}

/** The name is taken: by the same bytes, durably, or this throws `object-exists`. */
async function confirm(session: Session, { root, folders }: Writing, key: string, what: Body): Promise<Stored> {
  const { body, signal } = what;
  const { place } = root;
  const path = root.at(key);
  const [found, opened] = await Promise.allSettled([session.lstat(path), session.openToRead(path)]);
  try {
    if (found.status === 'rejected') throw found.reason;
    if (found.value.isDirectory()) {
      const why = `${key} is a folder, so no object can have that name`;
      throw destinationDenied({ destination: place.name, location: place.location, why });
    }
    if (!found.value.isFile() || found.value.size !== body.length) throw objectExists({ destination: place.name, key });
    if (opened.status === 'rejected') throw opened.reason;
    if (!(await holds(session, opened.value, body, signal))) throw objectExists({ destination: place.name, key });
    await session.fsync?.(opened.value);
  } finally {
    if (opened.status === 'fulfilled') session.close(opened.value).catch(() => {});
  }
  await folders.make(session, folderOf(key));
  await flushFolder(session, root.at(folderOf(key)));
  return { sizeBytes: body.length, existed: true };
}
