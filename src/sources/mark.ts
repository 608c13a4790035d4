import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import type { BytePath } from '../core/paths.ts';
import { workPrefix } from './exchange.ts';
import { isGone, onDisk } from './file-system.ts';

/**
 * Tells a file or folder from all others that ever had its name: a rename keeps it, and nobody can make another with the same.
 * Undefined when there is none, or the file system does not say when it was made: an inode's number alone is used again.
 */
export async function markOf(path: BytePath): Promise<string | undefined> {
  try {
    const { ino, birthtimeNs } = await fs.lstat(onDisk(path), { bigint: true });
    return birthtimeNs > 0n ? `${ino} ${birthtimeNs}` : undefined;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

const ofContents = 'contents ';

/** The same for all that is in a folder, where the folder itself stays. One more thing in it, or one less, is another mark. */
export async function markOfContents(folder: BytePath): Promise<string | undefined> {
  const names = await fs.readdir(onDisk(folder), 'latin1').catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
  if (names === undefined) return undefined;
  const all = createHash('sha256');
  for (const name of names.filter((one) => !one.startsWith(workPrefix)).sort()) {
    const mark = await markOf(`${folder}/${name}`);
    if (mark === undefined) return undefined;
    // No name holds a slash.
    all.update(`${name}/${mark}/`);
  }
  return ofContents + all.digest('hex');
}

export function isOfContents(mark: string): boolean {
  return mark.startsWith(ofContents);
}
