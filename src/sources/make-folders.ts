import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pathFromText } from '../core/paths.ts';
import { orForbidden, targetUnsuitable } from './errors.ts';
import { codeOf, exists } from './file-system.ts';

/**
 * Makes a folder that is restored to, and those that it is in: one by one, because a recursive mkdir says ENOENT where the file system is
 * read-only.
 * @returns the first that was not there
 * @throws `target-forbidden`, `target-unsuitable`
 */
export async function makeFolders(path: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = path; !(await exists(pathFromText(at))); at = dirname(at)) missing.unshift(at);
  for (const one of missing) {
    await mkdir(one).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') return;
      if (codeOf(error) === 'ENOTDIR') throw targetUnsuitable({ target: one, why: `${dirname(one)} is no folder` });
      throw orForbidden(error, dirname(one));
    });
  }
  return missing[0];
}
