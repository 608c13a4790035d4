import { constants, copyFileSync, linkSync, realpathSync, symlinkSync } from 'node:fs';
import type { HardlinkEntry, SymlinkEntry } from '../../core/entry.ts';
import { type BytePath, isSafePath, showPath, toBytes } from '../../core/paths.ts';
import { unsafeEntry } from '../errors.ts';
import { attempt } from './refused.ts';

/** A file system without links, an account that may not make them, or a file that has as many names as it may. */
const withoutLinks = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** @returns the code of a refusal */
export function makeSymlink(entry: SymlinkEntry, target: BytePath): string | undefined {
  return attempt(() => symlinkSync(toBytes(entry.target), toBytes(target)));
}

/** Another name for the file `existing` below `folder`, or where there can be none a file of its own with the same bytes. */
export function makeHardlink(
  entry: HardlinkEntry,
  { existing, target, folder }: { readonly existing: BytePath; readonly target: BytePath; readonly folder: BytePath },
): { readonly refused?: string; readonly isCopy: boolean } {
  if (!isSafePath(entry.target) || leadsElsewhere(existing, folder))
    throw unsafeEntry({ path: showPath(entry.target) });
  const code = attempt(() => linkSync(toBytes(existing), toBytes(target)));
  if (code === undefined) return { isCopy: false };
  if (!withoutLinks.has(code)) return { refused: code, isCopy: false };
  const refused = attempt(() => copyFileSync(toBytes(existing), toBytes(target), constants.COPYFILE_EXCL));
  return { isCopy: true, ...(refused !== undefined && { refused }) };
}

/** Whether a symbolic link, made from a forged entry, stands on the way from `folder` to `file`. */
function leadsElsewhere(file: BytePath, folder: BytePath): boolean {
  const real = (path: BytePath) => realpathSync.native(toBytes(path), { encoding: 'latin1' });
  const parent = file.slice(0, file.lastIndexOf('/'));
  return real(parent) !== real(folder) + parent.slice(folder.length);
}
