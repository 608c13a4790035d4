import { lstat, readlink, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { restoreThroughLink } from './errors.ts';
import { isGone } from './file-system.ts';

/** As many as the kernel follows. */
const MAX_LINKS = 40;

/**
 * An absolute path without links, also where its end does not exist yet. A link counts when it is root's or our own, or leads to
 * what its owner has anyway. Any other could have been put there to have us write where its owner may not.
 * @throws `restore-through-link`
 */
export async function realPlace(path: string): Promise<string> {
  const names = resolve(path).split('/').filter(Boolean);
  let done = '';
  for (let links = 0; names.length > 0; ) {
    const at = `${done}/${names.shift()}`;
    const found = await lstat(at).catch((error: unknown) => {
      if (isGone(error)) return undefined;
      throw error;
    });
    if (found === undefined) return [at, ...names].join('/');
    if (!found.isSymbolicLink()) {
      done = at;
      continue;
    }
    if (++links > MAX_LINKS) throw restoreThroughLink({ path: at, why: ' that leads in a circle' });
    if (found.uid !== 0 && found.uid !== process.geteuid?.()) {
      const end = await stat(at).catch(() => undefined);
      if (end?.uid !== found.uid) {
        throw restoreThroughLink({ path: at, why: `, put there by user ${found.uid}, to what is not theirs` });
      }
    }
    names.unshift(
      ...resolve(done === '' ? '/' : done, await readlink(at))
        .split('/')
        .filter(Boolean),
    );
    done = '';
  }
  return done === '' ? '/' : done;
}
