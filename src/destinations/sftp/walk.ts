import type { Stats } from 'ssh2';
import type { Listed } from '../destination.ts';
import { isKey, isKeyComponent } from '../key.ts';
import type { ListingGuard } from '../listing-bounds.ts';
import { isAbsence } from './failure.ts';
import { type Root, requireRealFolders, statOrAbsent } from './read.ts';
import type { FolderEntry, Handle, Session } from './session.ts';

const deepest = 16;
/** Folders that are asked for before their turn, over the whole walk: each holds a page of names and a file of the server. */
const mostAhead = 16;

interface Walking {
  readonly session: Session;
  readonly root: Root;
  readonly guard: ListingGuard;
  ahead: number;
}

/** The objects below `folder` (a key, '' is the root), a page at a time. What is removed meanwhile may or may not come. */
export async function* walk(
  session: Session,
  root: Root,
  guard: ListingGuard,
  folder: string,
): AsyncGenerator<readonly Listed[]> {
  if (folder !== '') await requireRealFolders(session, root, `${folder}/`);
  yield* walkFolder({ session, root, guard, ahead: 0 }, folder, 0);
}

async function* walkFolder(walking: Walking, folder: string, depth: number): AsyncGenerator<readonly Listed[]> {
  if (depth > deepest) return;
  const { session, root, guard } = walking;
  const folders: string[] = [];
  const open = () => session.openFolder(root.at(folder));
  const handle = await guard.openFolder(() => open().catch((error: unknown) => absentOrFile(error, walking, folder)));
  if (handle === undefined) return;
  const isNew = guard.newNames();
  try {
    for await (const page of pagesOf(walking, handle)) {
      const found: Listed[] = [];
      for (const entry of page) if (isOurs(folder, entry) && isNew(entry.filename)) sort(folder, entry, found, folders);
      if (found.length > 0) yield found;
    }
  } finally {
    session.close(handle).catch(() => {});
  }
  yield* walkFolders(walking, folders, depth + 1);
}

/** One after the other, the next ones being opened already: a vault has hundreds, and each takes some round trips. */
async function* walkFolders(
  walking: Walking,
  folders: readonly string[],
  depth: number,
): AsyncGenerator<readonly Listed[]> {
  const started: { walk: AsyncGenerator<readonly Listed[]>; first: Promise<IteratorResult<readonly Listed[]>> }[] = [];
  let next = 0;
  const start = () => {
    const folder = folders[next++]!;
    const begun = walkFolder(walking, folder, depth);
    const first = begun.next();
    // It is looked at when its turn comes.
    first.catch(() => {});
    started.push({ walk: begun, first });
    walking.ahead++;
  };
  try {
    while (started.length > 0 || next < folders.length) {
      while (next < folders.length && (started.length === 0 || walking.ahead < mostAhead)) start();
      const { walk: begun, first } = started[0]!;
      for (let page = await first; !page.done; page = await begun.next()) yield page.value;
      started.shift();
      walking.ahead--;
    }
  } finally {
    walking.ahead -= started.length;
    await Promise.all(started.map(({ walk: begun }) => begun.return(undefined).catch(() => {})));
  }
}

async function* pagesOf({ session, guard }: Walking, handle: Handle): AsyncGenerator<readonly FolderEntry[]> {
  for (;;) {
    const page = await guard.page(() => session.readFolder(handle));
    if (page === undefined) return;
    yield page;
  }
}

/** A server may give any names: those that are none of ours, and so lead anywhere else, are left alone. */
function isOurs(folder: string, { filename }: FolderEntry): boolean {
  // Every ext4 file system has lost+found at its top, closed to all but root.
  return isKeyComponent(filename) && !(folder === '' && filename === 'lost+found');
}

function sort(folder: string, { filename, attrs }: FolderEntry, found: Listed[], folders: string[]): void {
  const key = folder === '' ? filename : `${folder}/${filename}`;
  if (attrs.isDirectory()) folders.push(key);
  else if (isKey(key)) found.push(listed(key, attrs));
}

function listed(key: string, attrs: Stats): Listed {
  const modifiedMs = attrs.mtime * 1000;
  if (attrs.isFile()) return { key, sizeBytes: attrs.size, modifiedMs };
  return { key, sizeBytes: 0, modifiedMs, instead: attrs.isSymbolicLink() ? 'a link' : 'no regular file' };
}

/** A folder that is not there, or that is an object, has nothing below it. */
async function absentOrFile(error: unknown, { session, root }: Walking, folder: string): Promise<undefined> {
  if (isAbsence(error)) return undefined;
  const found = await statOrAbsent(session, root.at(folder)).catch(() => undefined);
  if (found === undefined || found.isDirectory()) throw error;
}
