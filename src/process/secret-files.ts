import { access, chmod, chown, constants, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { livingProcess, ourTag } from '../host/identity.ts';
import type { ProcessUser } from './start.ts';

/** Files that only the child's user can read, for tools that take a secret from a file. */
export interface SecretFiles {
  /** Variable name → path. */
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

const prefix = 'lifeboat-secret-';
/** Exactly what `mkdtemp` makes of it: what has another name is not ours to remove. */
const ourName = /^lifeboat-secret-(?<owner>\d+-[0-9a-z]+)-[A-Za-z0-9]{6}$/;

/** Writes each content to a file and names it in the variable. In memory (/dev/shm) where the host has that. */
export async function writeSecretFiles(
  contents: Readonly<Record<string, string>>,
  user?: ProcessUser,
): Promise<SecretFiles> {
  if (Object.keys(contents).length === 0) return { env: {}, remove: async () => {} };
  const base = await access('/dev/shm', constants.W_OK).then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  await removeLeftovers(base);
  const folder = await mkdtemp(join(base, `${prefix}${ourTag()}-`));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const env: Record<string, string> = {};
    for (const [name, content] of Object.entries(contents)) {
      const file = join(folder, name.toLowerCase());
      await writeFile(file, content, { mode: 0o600, flag: 'wx' });
      if (user !== undefined) await chown(file, user.uid, user.gid);
      env[name] = file;
    }
    await chmod(folder, 0o700);
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    return { env, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What a process that was killed could not remove itself. */
async function removeLeftovers(base: string): Promise<void> {
  const names = await readdir(base);
  const dead = names.filter((name) => {
    const owner = ourName.exec(name)?.groups?.owner;
    return owner !== undefined && livingProcess(owner) === undefined;
  });
  // Another user's leftovers are not ours to remove.
  await Promise.all(dead.map((name) => rm(join(base, name), { recursive: true, force: true }).catch(() => {})));
}
