import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from './failure.ts';

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

export function foldersBelow(root: string): Folders {
  const durable = new Set<string>();
  const make = async (folder: string): Promise<void> => {
    if (folder === '' || durable.has(folder)) return;
    const above = dirname(folder) === '.' ? '' : dirname(folder);
    await make(above);
    await mkdir(join(root, folder), { mode: 0o700 }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    // Also when it was there: whoever made it may not have come this far.
    await flushFolder(join(root, above));
    if (durable.size >= remembered) durable.clear();
    durable.add(folder);
  };
  return {
    make,
    flush: (folder) => flushFolder(join(root, folder)),
    forget: () => durable.clear(),
  };
}

/** fsync of a folder: the names in it survive a power cut. */
export async function flushFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync().catch((error: unknown) => {
    // Some network file systems have no such thing for folders.
    if (errnoOf(error) !== 'EINVAL') throw error;
  });
}

export async function readdirOrEmpty(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}
