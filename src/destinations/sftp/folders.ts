import { destinationDenied } from '../errors.ts';
import { Refusal } from './failure.ts';
import { type Root, statOrAbsent } from './read.ts';
import type { Session } from './session.ts';

/** Makes folders below a root, durably where the server can. Remembers which ones are there. */
export interface Folders {
  /** Makes `folder` (relative to the root, '' is the root) and what is above it. */
  make(session: Session, folder: string): Promise<void>;
  /** Forgets what it knows: a folder that was made has vanished. */
  forget(): void;
}

const remembered = 10_000;

export function foldersBelow(root: Root): Folders {
  const known = new Set<string>();
  const make = async (session: Session, folder: string): Promise<void> => {
    if (folder === '' || known.has(folder)) return;
    const above = folderOf(folder);
    await make(session, above);
    await makeFolder(session, root.at(folder), root);
    // Also when it was there: whoever made it may not have come this far.
    await flushFolder(session, root.at(above));
    if (known.size >= remembered) known.clear();
    known.add(folder);
  };
  return { make, forget: () => known.clear() };
}

/** Makes one folder, or finds that it is there. */
export async function makeFolder(session: Session, path: string, { place }: Root): Promise<void> {
  try {
    await session.makeFolder(path);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // That it exists has no code of its own.
    const found = await statOrAbsent(session, path);
    if (found === undefined) throw error;
    if (!found.isDirectory()) {
      const why = 'something in its way is a file and no folder';
      throw destinationDenied({ destination: place.name, location: place.location, why });
    }
  }
}

/** Names in a folder survive a power cut where the server lets a folder be opened and flushed, as OpenSSH does. */
export async function flushFolder(session: Session, path: string): Promise<void> {
  const { fsync } = session;
  if (fsync === undefined) return;
  await flush(session, path, fsync).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
  });
}

async function flush(session: Session, path: string, fsync: NonNullable<Session['fsync']>): Promise<void> {
  const handle = await session.openToRead(path);
  const closed = fsync(handle);
  session.close(handle).catch(() => {});
  await closed;
}

/** '' for a name without a folder. */
export function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}
