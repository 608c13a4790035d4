import { existsSync } from 'node:fs';
import { answers } from '../local-port.ts';

/** Where servers put their sockets when nobody says anything else: Debian's folder, and PostgreSQL's own. */
export const socketFolders = ['/var/run/postgresql', '/tmp'];

/** Where a PostgreSQL server of this host answers at its usual port: a socket's folder or an address. */
export async function findLocalServer(waitMs = 300): Promise<string | undefined> {
  for (const folder of socketFolders) {
    if (existsSync(`${folder}/.s.PGSQL.5432`)) return folder;
  }
  return (await answers('127.0.0.1', 5432, waitMs)) ? '127.0.0.1:5432' : undefined;
}
