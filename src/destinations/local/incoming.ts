import { lstat, opendir, unlink } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import { incomingName, isLeftover } from '../incoming.ts';
import { openFolder } from './open-folder.ts';

/** Names that are looked at: whoever may write there could leave any number. */
const mostNames = 10_000;

/** Removes what writers that are gone left half written: regular files in the folder itself, with names that we make. */
export async function removeLeftovers(destination: string, root: string, clock: Clock): Promise<void> {
  await using folder = await openFolder(destination, root, incomingName);
  let names = 0;
  for await (const { name } of await opendir(folder.at('.'))) {
    if (++names > mostNames) break;
    const path = folder.at(name);
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isFile()) continue;
    // What cannot be removed takes room and does no other harm.
    if (await isLeftover(name, clock.now(), found.mtimeMs)) await unlink(path).catch(() => {});
  }
}
