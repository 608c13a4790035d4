import { mkdir, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { errnoOf } from './failure.ts';
import { openFolder } from './open-folder.ts';

/** Makes folders below a root so that they are there after a power cut. Remembers which ones are. */
export interface Folders {
  /** Makes `folder` (relative to the root, '' is the root) and what is above it, and has their names on the disk. */
  make(folder: string): Promise<void>;
  /** Makes names that were added to or taken from `folder` durable. */
  flush(folder: string): Promise<void>;
  /** Forgets what it knows: a folder that was made has vanished. */
  forget(): void;
}

const remembered = 10_000;

export function foldersBelow(destination: string, root: string): Folders {
  const durable = new Set<string>();
  const make = async (folder: string): Promise<void> => {
    if (folder === '' || durable.has(folder)) return;
    await make(folderOf(folder));
    await using above = await openFolder(destination, root, folderOf(folder));
    await mkdir(above.at(basename(folder)), { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    // Also when it was there: whoever made it may not have come this far.
    await above.flush();
    if (durable.size >= remembered) durable.clear();
    durable.add(folder);
  };
  return {
    make,
    async flush(folder) {
      await using opened = await openFolder(destination, root, folder);
      await opened.flush();
    },
    forget: () => durable.clear(),
  };
}

/** '' for a name without a folder. */
export function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')));
}

/** fsync of a folder that is ours by its path: the names in it survive a power cut. */
export async function flushFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync().catch((error: unknown) => {
    // Some network file systems have no such thing for folders.
    if (errnoOf(error) !== 'EINVAL') throw error;
  });
}
