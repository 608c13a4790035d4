import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { livingProcess, ourTag } from '../../host/identity.ts';
import { workFolderTooSmall } from './errors.ts';

const prefix = 'lifeboat-sqlite.';

/** A new private folder for a copy of a database; the remains of crashed runs are removed first. */
export async function makeWorkFolder(folder: string, neededBytes: number): Promise<string> {
  await removeRemains(folder);
  const { bavail, bsize } = await statfs(folder);
  if (neededBytes > bavail * bsize) throw workFolderTooSmall({ folder, neededBytes, freeBytes: bavail * bsize });
  return mkdtemp(join(folder, `${prefix}${ourTag()}.`));
}

async function removeRemains(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [owner] = name.startsWith(prefix) ? name.slice(prefix.length).split('.') : [];
    if (owner === undefined || livingProcess(owner) !== undefined) continue;
    // Another user's remains in a shared temporary folder are not ours to remove.
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
  }
}
