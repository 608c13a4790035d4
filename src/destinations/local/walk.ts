import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Listed } from '../destination.ts';
import { isKey, isKeyComponent } from '../key.ts';
import { errnoOf } from './failure.ts';

const pageItems = 128;
const deepest = 16;

/** The objects below `folder` (relative to `root`, '' is the root). What is removed meanwhile may or may not come. */
export async function* walk(root: string, folder: string, depth = 0): AsyncGenerator<Listed> {
  if (depth > deepest) return;
  const entries = await opendir(join(root, folder), { bufferSize: pageItems }).catch(absentOrThrow);
  if (entries === undefined) return;
  const folders: string[] = [];
  let page: string[] = [];
  // A walk that is left early closes the folder: `for await` does that.
  for await (const entry of entries) {
    if (!isOurs(entry, folder)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) folders.push(path);
    else page.push(path);
    if (page.length < pageItems) continue;
    yield* await lookAt(root, page, folders);
    page = [];
  }
  yield* await lookAt(root, page, folders);
  for (const path of folders) yield* walk(root, path, depth + 1);
}

function isOurs(entry: Dirent, folder: string): boolean {
  // Every ext4 file system has lost+found at its top, closed to all but root.
  return isKeyComponent(entry.name) && !(folder === '' && entry.name === 'lost+found');
}

/** Sizes and times, a page at once. A symbolic link that leads to a folder joins `folders`. */
async function lookAt(root: string, page: readonly string[], folders: string[]): Promise<Listed[]> {
  const found = await Promise.all(
    page.map(async (key) => {
      const stats = await stat(join(root, key)).catch(absentOrThrow);
      if (stats?.isDirectory()) folders.push(key);
      return stats?.isFile() && isKey(key) ? [{ key, sizeBytes: stats.size, modifiedMs: stats.mtimeMs }] : [];
    }),
  );
  return found.flat();
}

function absentOrThrow(error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error;
}
