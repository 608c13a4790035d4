import { type BytePath, comparePaths } from '../../core/paths.ts';
import type { Contents } from '../source.ts';

/** More are not named. */
const most = 100;

/** Both come in the order of `comparePaths`. @returns paths that are there and in no restore point, the first of them */
export async function unrecorded(
  found: Iterable<readonly { readonly path: BytePath }[]>,
  contents: Contents,
  signal: AbortSignal,
): Promise<BytePath[]> {
  const recorded = contents.entries()[Symbol.asyncIterator]();
  let next = await recorded.next();
  const more: BytePath[] = [];
  for (const batch of found) {
    signal.throwIfAborted();
    for (const { path } of batch) {
      while (!next.done && comparePaths(next.value.path, path) < 0) next = await recorded.next();
      if (next.done || next.value.path !== path) more.push(path);
      if (more.length === most) return more;
    }
  }
  return more;
}
