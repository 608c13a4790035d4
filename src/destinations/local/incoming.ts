import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { incomingName, isLeftover } from '../incoming.ts';
import { readdirOrEmpty } from './folders.ts';

/** Removes what writers that are gone left half written. */
export async function removeLeftovers(root: string, clock: Clock): Promise<void> {
  const folder = join(root, incomingName);
  for (const name of await readdirOrEmpty(folder)) {
    const path = join(folder, name);
    const modifiedMs = () =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => undefined,
      );
    // Who may only read cannot clean up, and need not.
    if (await isLeftover(name, clock.now(), modifiedMs)) await unlink(path).catch(() => {});
  }
}
