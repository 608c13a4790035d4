import * as fs from 'node:fs';
import type { BytePath } from '../core/paths.ts';
import { onDisk } from './file-system.ts';

/** A folder whose contents somebody else may have written, and may be changing. */
export interface Beneath extends Disposable {
  /**
   * Where an entry can be reached for one call, byte paths as `onDisk` takes them. Its folder was opened name by name and no
   * link was followed: what is put in its place meanwhile leads nowhere else. The entry itself may be anything: look at it
   * with `lstat`, and open it with `openRegular`.
   * @throws ENOENT, and ENOTDIR where something on the way is no folder
   */
  place(path: BytePath): BytePath;
  /** A folder of it, for one call; the root for ''. @throws as `place` */
  folder(path: BytePath): BytePath;
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
/** Opens for walking alone: a folder that we may enter need not be one that we may list. Linux; node:fs does not name it. */
const O_PATH = 0o10000000;
/** Folders that are kept open: those on the way to where we are. */
const KEPT = 64;

/** `root` itself is trusted: it may be reached through links. @throws where it is no folder */
export function openBeneath(root: BytePath): Beneath {
  const base = openFolder(`${root}/.`);
  const kept = new Map<BytePath, number>();

  function descriptorOf(path: BytePath): number {
    if (path === '') return base;
    const known = kept.get(path);
    if (known !== undefined) {
      kept.delete(path);
      kept.set(path, known);
      return known;
    }
    // From the deepest folder that is open, step by step: as deep as paths may be, and no deeper call for it.
    let opened = base;
    let done = '';
    for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1)) {
      const above = kept.get(path.slice(0, at));
      if (above === undefined) continue;
      [opened, done] = [above, path.slice(0, at)];
      break;
    }
    for (const name of path.slice(done === '' ? 0 : done.length + 1).split('/')) {
      opened = openFolder(`${throughDescriptor(opened)}/${name}`);
      done = done === '' ? name : `${done}/${name}`;
      kept.set(done, opened);
      for (const [oldest, descriptor] of kept) {
        if (kept.size <= KEPT) break;
        kept.delete(oldest);
        fs.closeSync(descriptor);
      }
    }
    return opened;
  }

  const folder = (path: BytePath) => throughDescriptor(descriptorOf(path));
  return {
    folder,
    place(path) {
      const split = path.lastIndexOf('/');
      return `${folder(path.slice(0, Math.max(0, split)))}/${path.slice(split + 1)}`;
    },
    [Symbol.dispose]() {
      for (const descriptor of [...kept.values(), base]) fs.closeSync(descriptor);
      kept.clear();
    },
  };
}

function openFolder(path: BytePath): number {
  return fs.openSync(onDisk(path), O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

function throughDescriptor(descriptor: number): BytePath {
  return `/proc/self/fd/${descriptor}`;
}

/**
 * Opens a regular file to read it. Nothing else is ever opened: a fifo would wait for its writer, a device may act. Undefined
 * when it is something else.
 */
export function openRegular(place: BytePath): number | undefined {
  if (!fs.lstatSync(onDisk(place)).isFile()) return undefined;
  const descriptor = fs.openSync(onDisk(place), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fs.fstatSync(descriptor).isFile()) return descriptor;
  fs.closeSync(descriptor);
  return undefined;
}
