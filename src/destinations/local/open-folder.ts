import { constants, type FileHandle, lstat, open } from 'node:fs/promises';
import { objectDamaged } from '../errors.ts';
import { errnoOf } from './failure.ts';

/** A folder of a destination, held open. */
export interface OpenFolder extends AsyncDisposable {
  /** Where a name in it can be reached while it is open, also when others exchange the folders above it meanwhile. */
  at(name: string): string;
  /** fsync: the names in it survive a power cut. */
  flush(): Promise<void>;
}

/** Opens for walking alone: a folder that we may enter need not be one that we may list. Linux; node:fs does not name it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Opens `folder` below `root` ('' is the root) name by name, and follows no link: whoever can write to a disk must not lead us
 * off it. `root` itself is the user's own word, and may be a link.
 * @throws ENOENT, ENOTDIR; `object-damaged` where a link stands in the place of a folder
 */
export async function openFolder(destination: string, root: string, folder: string): Promise<OpenFolder> {
  let handle = await open(root, O_PATH | O_DIRECTORY);
  const passed: string[] = [];
  for (const name of folder === '' ? [] : folder.split('/')) {
    passed.push(name);
    await using above = handle;
    handle = await open(through(above, name), O_PATH | O_DIRECTORY | O_NOFOLLOW).catch(async (error: unknown) => {
      const found = errnoOf(error) === 'ENOENT' ? undefined : await lstat(through(above, name)).catch(() => undefined);
      if (found?.isSymbolicLink()) throw linkInstead(destination, passed.join('/'));
      throw error;
    });
  }
  const opened = handle;
  return {
    at: (name) => through(opened, name),
    async flush() {
      await using readable = await open(through(opened, '.'), 'r');
      await readable.sync().catch((error: unknown) => {
        // Some network file systems have no such thing for folders.
        if (errnoOf(error) !== 'EINVAL') throw error;
      });
    },
    [Symbol.asyncDispose]: () => opened.close(),
  };
}

/** No link below a destination's folder is followed: nothing of ours makes one. */
export function linkInstead(destination: string, key: string): Error {
  return objectDamaged({ destination, key, why: 'a link stands in its place, and links are not followed' });
}

function through({ fd }: FileHandle, name: string): string {
  return `/proc/self/fd/${fd}/${name}`;
}
