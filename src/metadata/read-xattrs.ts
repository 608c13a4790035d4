import type { BytePath } from '../core/paths.ts';
import { metadataPerl, packed, runProgram } from './run-program.ts';

export type Xattrs = Readonly<Record<string, string>>;

export interface ReadXattrs {
  /** Of the paths that have any: POSIX ACLs and capabilities are among them. */
  readonly found: ReadonlyMap<BytePath, Xattrs>;
  /** What could not be read: of an entry, or one attribute of it. */
  readonly failed: ReadonlyArray<{ readonly path: BytePath; readonly name: string; readonly code: string }>;
  /** How many of the paths were looked at, from the first on: at least one, and fewer than all where they hold very much. */
  readonly done: number;
}

export type XattrReader = (paths: readonly BytePath[], signal?: AbortSignal) => Promise<ReadXattrs>;

/** Undefined where attributes cannot be read. No link is followed. */
export async function openXattrReader(): Promise<XattrReader | undefined> {
  const perl = await metadataPerl();
  if (perl === undefined) return undefined;
  return async (paths, signal) => {
    const { answers, done } = await runProgram(perl, [Buffer.from('r'), ...paths.map(packed)], signal);
    const found = new Map<BytePath, Record<string, string>>();
    const failed: { path: BytePath; name: string; code: string }[] = [];
    for (const { at, code, name, value } of answers) {
      const path = paths[at]!;
      if (code !== undefined) {
        failed.push({ path, name, code });
        continue;
      }
      const xattrs = found.get(path);
      if (xattrs === undefined) found.set(path, { [name]: value });
      else xattrs[name] = value;
    }
    return { found, failed, done };
  };
}
