import * as fs from 'node:fs';
import type { BytePath } from '../core/paths.ts';
import { showPath } from '../core/paths.ts';
import { openBeneath } from './beneath.ts';
import { restoreThroughLink } from './errors.ts';
import { codeOf, isGone, onDisk } from './file-system.ts';

/** A folder that stays open: whatever is put in its place meanwhile, what goes through `path` goes into this very one. */
export interface HeldFolder extends Disposable {
  /** For this process and its children. */
  readonly path: BytePath;
  readonly uid: number;
  readonly mode: number;
  names(): BytePath[];
  /** A folder in it; undefined where the name is a link or anything else. */
  hold(name: BytePath): HeldFolder | undefined;
}

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;

/** Opens an absolute path, name by name. @throws `restore-through-link` where one of them is a link, and ENOENT */
export function holdFolder(path: BytePath): HeldFolder {
  using root = openBeneath('/');
  try {
    return held(root.folder(path.split('/').filter(Boolean).join('/')));
  } catch (error) {
    if (codeOf(error) !== 'ENOTDIR' && codeOf(error) !== 'ELOOP') throw error;
    throw restoreThroughLink({ path: showPath(path), why: ', or something on the way to it is' }, { cause: error });
  }
}

function held(place: BytePath): HeldFolder {
  // Through `/.`, a descriptor's own link is followed, and the last name is no link.
  const descriptor = fs.openSync(onDisk(`${place}/.`), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const { uid, mode } = fs.fstatSync(descriptor);
  const path = `/proc/${process.pid}/fd/${descriptor}`;
  return {
    path,
    uid,
    mode,
    names: () => fs.readdirSync(path, 'latin1'),
    hold(name) {
      try {
        using beneath = openBeneath(path);
        return held(beneath.folder(name));
      } catch (error) {
        if (isGone(error) || codeOf(error) === 'ELOOP') return undefined;
        throw error;
      }
    },
    [Symbol.dispose]: () => fs.closeSync(descriptor),
  };
}

/**
 * Removes all that is in a folder. What lies in it may be another user's, who may be at work in it: every folder is entered
 * through its parent's descriptor, and no link is followed. What cannot be removed (`chattr +i`) keeps nothing else from it.
 * @returns the first of these, and why
 */
export async function removeHeld(folder: HeldFolder): Promise<{ path: BytePath; code: string } | undefined> {
  using beneath = openBeneath(folder.path);
  let stayed: { path: BytePath; code: string } | undefined;
  const attempt = async (path: BytePath, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isGone(error)) stayed ??= { path, code: codeOf(error) };
    }
  };
  const empty = async (path: BytePath): Promise<void> => {
    const found = await fs.promises.readdir(onDisk(beneath.folder(path)), { encoding: 'latin1', withFileTypes: true });
    for (const entry of found) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      await attempt(below, async () => {
        if (!entry.isDirectory()) return await fs.promises.unlink(onDisk(beneath.place(below)));
        await empty(below);
        await fs.promises.rmdir(onDisk(beneath.place(below)));
      });
    }
  };
  await empty('');
  return stayed;
}
