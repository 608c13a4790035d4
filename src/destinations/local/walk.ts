import type { Stats } from 'node:fs';
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
  const opened = await openFolder(walking.destination, walking.root, folder).catch(absentOrThrow);
  if (opened === undefined) return;
  {
    await using held = opened;
    let page: string[] = [];
    // A walk that is left early closes the folder: `for await` does that.
    for await (const { name } of await opendir(held.at('.'), { bufferSize: pageItems })) {
      walking.guard.count(1);
      // Every ext4 file system has lost+found at its top, closed to all but root.
      if (!isKeyComponent(name) || (folder === '' && name === 'lost+found')) continue;
      page.push(name);
      if (page.length < pageItems) continue;
      yield* await lookAt(held, folder, page, folders);
      page = [];
    }
    yield* await lookAt(held, folder, page, folders);
  }
  for (const path of folders) yield* walk(walking, path, depth + 1);
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
