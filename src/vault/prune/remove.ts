import type { Destination, Key, Lock } from '../../destinations/destination.ts';
import { objectLocked } from '../../destinations/errors.ts';

/** `lockedUntilMs`: a lock holds it, so it stays; Infinity where the place does not tell until when. */
export type Removal = { readonly removed: true } | { readonly removed: false; readonly lockedUntilMs: number };

/**
 * Removes an object for good, all versions and delete markers of it. The newest go first: what is under the key in between is
 * the true object, hidden by nothing, or nothing. A lock on any of them ends it there.
 */
export async function removeWhole(destination: Destination, key: Key): Promise<Removal> {
  const { history } = destination;
  const versions = history === undefined ? [undefined] : await history.versionsOf(key);
  for (const version of versions) {
    try {
      await destination.delete(key, version?.version);
    } catch (error) {
      if (!objectLocked.is(error)) throw error;
      const lock: Lock | undefined = version && (await history?.lockOf(key, version.version));
      return { removed: false, lockedUntilMs: lock?.untilMs ?? Number.POSITIVE_INFINITY };
    }
  }
  return { removed: true };
}
