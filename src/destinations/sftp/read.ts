import type { ByteRange, GetOptions } from '../destination.ts';
import { destinationUnreachable, objectDamaged, objectMissing } from '../errors.ts';
import { incomingName } from '../incoming.ts';
import { requireSize } from '../object-sizes.ts';
import { isAbsence, type Place, Refusal } from './failure.ts';
import { inPieces } from './pieces.ts';
import type { Handle, Session } from './session.ts';

/** Where a vault lies on the server, without a slash at the end unless it is the root of everything. */
export interface Root {
  readonly path: string;
  readonly place: Place;
  /** The path of a key, or of the root itself for ''. */
  at(key: string): string;
}

/** The bytes of `key`, or the range of them: asked for in two steps, size and file at once, then all pieces. */
export async function readObject(
  session: Session,
  root: Root,
  key: string,
  { range, ...options }: GetOptions & { readonly range: ByteRange | undefined },
): Promise<Buffer> {
  const path = root.at(key);
  const [found, opened, folders] = await Promise.allSettled([
    session.lstat(path),
    session.openToRead(path),
    requireRealFolders(session, root, key),
  ]);
  try {
    if (folders.status === 'rejected') throw folders.reason;
    if (found.status === 'rejected') throw await absenceOr(session, root, key, found.reason);
    if (found.value.isSymbolicLink()) throw linkInstead(root, key);
    if (found.value.isDirectory()) throw objectMissing({ destination: root.place.name, key });
    const damaged = (why: string) => objectDamaged({ destination: root.place.name, key, why });
    if (!found.value.isFile()) throw damaged('it is not a regular file');
    const { offset, length } = range ?? { offset: 0, length: found.value.size };
    if (offset < 0 || length < 0) throw new RangeError(`no range of bytes: ${offset}, ${length}`);
    // Before the memory is taken: what asks may be damaged, too.
    if (offset + length > found.value.size) {
      throw damaged(`it has ${found.value.size} bytes, and bytes ${offset} to ${offset + length} were asked for`);
    }
    if (range === undefined) requireSize(root.place.name, key, length, options);
    if (opened.status === 'rejected') throw await absenceOr(session, root, key, opened.reason);
    const bytes = Buffer.allocUnsafeSlow(length);
    const pieces = { sizeBytes: length, pieceBytes: session.readBytes, signal: options.signal };
    await inPieces(session.inTurn, pieces, async (at, size) => {
      const end = await readPiece(session, opened.value, bytes, at, size, offset);
      if (end < at + size) throw damaged(`it ends after ${offset + end} of ${found.value.size} bytes`);
    });
    return bytes;
  } finally {
    if (opened.status === 'fulfilled') session.close(opened.value).catch(() => {});
  }
}

/** Reads until `size` bytes are there or the file ends; gives where it came to. A server may give less than it is asked for. */
async function readPiece(
  session: Session,
  handle: Handle,
  bytes: Buffer,
  at: number,
  size: number,
  offset: number,
): Promise<number> {
  let end = at;
  while (end < at + size) {
    const count = await session.read(handle, bytes, end, at + size - end, offset + end);
    if (count === 0) break;
    end += count;
  }
  return end;
}

/** Whether the file at `path` holds exactly `body`. */
export async function holds(
  session: Session,
  handle: Handle,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let same = true;
  const pieces = { sizeBytes: body.length, pieceBytes: session.readBytes, signal };
  await inPieces(session.inTurn, pieces, async (at, size) => {
    if (!same) return;
    const piece = Buffer.allocUnsafeSlow(size);
    const end = await readPiece(session, handle, piece, 0, size, at);
    same &&= end === size && piece.compare(body, at, at + size) === 0;
  });
  return same;
}

/** `object-missing` when `error` says so and the destination itself is there; else `error`. */
export async function absenceOr(session: Session, root: Root, key: string, error: unknown): Promise<unknown> {
  if (!isAbsence(error)) return error;
  await requirePresence(session, root);
  return objectMissing({ destination: root.place.name, key });
}

/** Throws `destination-unreachable` unless the folder bears the mark of a destination. */
export async function requirePresence(session: Session, root: Root): Promise<void> {
  if ((await statOrAbsent(session, root.at(incomingName)))?.isDirectory()) return;
  // A copy that was made by hand may lack the mark; the vault's own file is as good.
  if ((await statOrAbsent(session, root.at('vault.json')))?.isFile()) return;
  const why = (await statOrAbsent(session, root.path))
    ? 'the folder is there but holds no destination; its disk may not be mounted'
    : 'the folder does not exist; its disk may not be mounted';
  throw destinationUnreachable({ destination: root.place.name, location: root.place.location, why });
}

/** Of what is there itself: where it is a link, of the link. */
export async function statOrAbsent(session: Session, path: string) {
  return session.lstat(path).catch((error: unknown) => {
    if (isAbsence(error)) return undefined;
    throw error;
  });
}

/**
 * Throws where a folder above `key` is a link. Asked together with what it is asked for, so it costs no round trip. The protocol
 * cannot hold a folder open: whoever exchanges one in that moment is the server itself, or somebody that it lets in.
 */
export async function requireRealFolders(session: Session, root: Root, key: string): Promise<void> {
  const parts: string[] = [];
  for (let at = key.indexOf('/'); at >= 0; at = key.indexOf('/', at + 1)) parts.push(key.slice(0, at));
  const found = await Promise.all(parts.map((part) => session.lstat(root.at(part)).catch(undefinedIfRefused)));
  const link = found.findIndex((one) => one?.isSymbolicLink());
  if (link >= 0) throw linkInstead(root, parts[link]!);
}

/** What may not be looked at, or is not there, is told by the request itself. */
function undefinedIfRefused(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

/** No link below a destination's folder is followed: nothing of ours makes one. */
export function linkInstead({ place }: Root, key: string): Error {
  return objectDamaged({
    destination: place.name,
    key,
    why: 'a link stands in its place, and links are not followed',
  });
}
