import type { BytePath } from '../../core/paths.ts';
import { flagsName } from '../../metadata/program.ts';
import { type Protected, protect } from '../../metadata/protect.ts';
import { holdFolder } from '../held-folder.ts';
import type { Extracted } from '../source.ts';
import type { Job } from './restore-job.ts';
import { together } from './set-metadata.ts';

/**
 * Sets flags that forbid changes (`chattr +i`, `+a`), of what is in its place now and will not be changed again by us. `nameOf` says
 * where an entry lies below `folder`; undefined where it is not there. The dataset's own folder is ''.
 */
export async function protectRestored<T extends Extracted>(
  done: T,
  folder: BytePath,
  { contents, root, run }: Pick<Job, 'contents' | 'root' | 'run'>,
  nameOf: (path: BytePath) => BytePath | undefined,
): Promise<T> {
  if (done.held !== true) return done;
  using held = holdFolder(folder);
  async function* entries(): AsyncGenerator<Protected> {
    // Also of further names: one whose first was not chosen is the file.
    for await (const { path, xattrs } of contents.entries()) {
      const flags = xattrs?.[flagsName];
      const name = flags === undefined ? undefined : nameOf(path);
      if (name !== undefined) yield { path: name, flags: flags! };
    }
    const flags = root.type === 'folder' ? root.xattrs?.[flagsName] : undefined;
    if (flags !== undefined && nameOf('') !== undefined) yield { path: '', flags };
  }
  return together(done, await protect(held.path, entries(), run.signal));
}
