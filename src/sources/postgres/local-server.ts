import { existsSync } from 'node:fs';
import { connect } from 'node:net';

/** Where servers put their sockets when nobody says anything else: Debian's folder, and PostgreSQL's own. */
export const socketFolders = ['/var/run/postgresql', '/tmp'];

/** Where a PostgreSQL server of this host answers at its usual port: a socket's folder or an address. */
export async function findLocalServer(waitMs = 300): Promise<string | undefined> {
  for (const folder of socketFolders) {
    if (existsSync(`${folder}/.s.PGSQL.5432`)) return folder;
  }
  return (await answers('127.0.0.1', 5432, waitMs)) ? '127.0.0.1:5432' : undefined;
}

function answers(host: string, port: number, waitMs: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: waitMs });
    const end = (open: boolean) => {
      socket.destroy();
      done(open);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
  });
}
