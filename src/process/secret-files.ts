import { access, chmod, chown, constants, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProcessUser } from './start.ts';

/** Files that only the child's user can read, for tools that take a secret from a file. */
export interface SecretFiles {
  /** Variable name → path. */
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

const prefix = 'lifeboat-secret-';

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
  const folder = await mkdtemp(join(base, `${prefix}${process.pid}-`));
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
    const pid = Number(name.startsWith(prefix) ? name.slice(prefix.length).split('-')[0] : Number.NaN);
    return Number.isInteger(pid) && pid > 0 && !isAlive(pid);
  });
  // Another user's leftovers are not ours to remove.
  await Promise.all(dead.map((name) => rm(join(base, name), { recursive: true, force: true }).catch(() => {})));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
