import type { Dir, Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import type { Listed } from '../destination.ts';
import { isKey, isKeyComponent } from '../key.ts';
import type { ListingGuard } from '../listing-bounds.ts';
import { errnoOf } from './failure.ts';
import { type OpenFolder, openFolder } from './open-folder.ts';

const pageItems = 128;
const deepest = 16;

interface Walking {
  readonly destination: string;
  readonly root: string;
  readonly guard: ListingGuard;
}

/** The objects below `folder` (relative to the root, '' is the root). What is removed meanwhile may or may not come. */
export async function* walk(walking: Walking, folder: string, depth = 0): AsyncGenerator<Listed> {
  if (depth > deepest) return;
  const folders: string[] = [];
  const { destination, root, guard } = walking;
  const opened = await guard.openFolder(() => openFolder(destination, root, folder).catch(absentOrThrow));
  if (opened === undefined) return;
  {
    await using held = opened;
    await using names = await guard.openFolder(() => opendir(held.at('.'), { bufferSize: pageItems }));
    const isNew = guard.newNames();
    for (let isMore = true; isMore; ) {
      let found: readonly Listed[] = [];
      // A disk can be slow on purpose: one that a program plays, or somebody's server.
      const page = await guard.page(async () => {
        const read = await readPage(names);
        // Every ext4 file system has lost+found at its top, closed to all but root.
        const ours = read.filter((name) => isKeyComponent(name) && !(folder === '' && name === 'lost+found'));
        found = await lookAt(held, folder, ours.filter(isNew), folders);
        return read;
      });
      yield* found;
      isMore = page.length > 0;
    }
  }
  for (const path of folders) yield* walk(walking, path, depth + 1);
}

/** Of `.` and `..` it tells nothing. None where there are no more. */
async function readPage(folder: Dir): Promise<string[]> {
  const names: string[] = [];
  while (names.length < pageItems) {
    const entry = await folder.read();
    if (entry === null) break;
    names.push(entry.name);
  }
  return names;
}

/** Sizes and times, a page at once. What is a folder joins `folders`. */
async function lookAt(
  opened: OpenFolder,
  folder: string,
  page: readonly string[],
  folders: string[],
): Promise<Listed[]> {
  const found = await Promise.all(
    page.map(async (name) => {
      const key = folder === '' ? name : `${folder}/${name}`;
      const stats = await lstat(opened.at(name)).catch(absentOrThrow);
      if (stats?.isDirectory()) folders.push(key);
      else if (stats !== undefined && isKey(key)) return [listed(key, stats)];
      return [];
    }),
  );
  return found.flat();
}

function listed(key: string, stats: Stats): Listed {
  const { size: sizeBytes, mtimeMs: modifiedMs } = stats;
  if (stats.isFile()) return { key, sizeBytes, modifiedMs };
  return { key, sizeBytes: 0, modifiedMs, instead: stats.isSymbolicLink() ? 'a link' : 'no regular file' };
}

function absentOrThrow(error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error;
}
