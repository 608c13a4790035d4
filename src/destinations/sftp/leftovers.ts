import type { Clock } from '../../core/clock.ts';
import { incomingName, isLeftover } from '../incoming.ts';
import { Refusal, status } from './failure.ts';
import type { Root } from './read.ts';
import type { Session } from './session.ts';

/** Pages of names that are looked at: an account that may not remove anything gathers them for ever. */
const mostPages = 10;

/**
 * Removes what writers that are gone left half written: files with names that we make. Gives false when this account may not remove: nothing of that is ever
 * listed or read, so it only takes room until the server's keeper clears it.
 */
export async function removeLeftovers(session: Session, root: Root, clock: Clock): Promise<boolean> {
  const folder = root.at(incomingName);
  try {
    if (!(await session.lstat(folder)).isDirectory()) return true;
    const handle = await session.openFolder(folder);
    try {
      for (let page = 0; page < mostPages; page++) {
        const entries = await session.readFolder(handle);
        if (entries === undefined) break;
        for (const { filename, attrs } of entries) {
          if (!attrs.isFile()) continue;
          if (await isLeftover(filename, clock.now(), attrs.mtime * 1000)) {
            await session.remove(`${folder}/${filename}`);
          }
        }
      }
    } finally {
      session.close(handle).catch(() => {});
    }
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.request !== 'remove a file' || error.status !== status.permissionDenied;
  }
}
