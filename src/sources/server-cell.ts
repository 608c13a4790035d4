import { link, readFile } from 'node:fs/promises';
import type { User } from '../sandbox/protocol.ts';

/**
 * Further names of a server's socket, where nothing of its cell can put another socket, or a link to one of this host's. Made
 * before anything restored runs there.
 */
export async function linkSocket(made: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await link(made, name).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Servers do not run as root: the first of the users that this host has, and else nobody. Undefined where we are not root ourselves. */
export async function unprivilegedUser(wish: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === wish) ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}
