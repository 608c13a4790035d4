import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { LifeboatError } from '../../core/errors.ts';
import { isLocalHost } from '../../core/local-host.ts';
import { runCommand } from '../../process/run.ts';
import { connect, quoteName, quoteText } from './connection.ts';
import { scramVerifier } from './loader.ts';
import { socketFolders } from './local-server.ts';
import { findClient } from './tools.ts';
import type { ServerAddress } from './url.ts';

/** A superuser for one restore, who goes when that has ended. */
export interface LocalMaster extends AsyncDisposable {
  /** As whom to come in. */
  readonly address: ServerAddress;
}

/** Those that other restores use, or left. */
export const masterPattern = '^lifeboat_master_[0-9a-f]{16}$';

/**
 * On a new server the application's role is not there, and none but the server's own system user gets in, through the socket and
 * without a password. Who is root on the server's host may be that user, so a recovery need not wait for anybody to type SQL.
 * What it makes works as that user's role (`SET role`): nothing is owned by one that goes.
 * @returns undefined where that is not so, or where another server answers at `address`
 */
export async function localMaster(address: ServerAddress, signal?: AbortSignal): Promise<LocalMaster | undefined> {
  if (process.getuid?.() !== 0 || !isLocalHost(address.host)) return undefined;
  const socket = await socketOf(address);
  if (socket === undefined) return undefined;
  const role = `lifeboat_master_${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const who = quoteName(role);
  const say = async (script: string, until?: AbortSignal) => {
    const psql = await findClient('psql', { text: '', major: 0 }, until === undefined ? {} : { signal: until });
    await runCommand(psql.path, ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1'], {
      cwd: '/',
      env: { PGHOST: socket.folder, PGPORT: String(address.port), PGDATABASE: 'postgres', PGCONNECT_TIMEOUT: '10' },
      asUser: socket,
      input: script,
      ...(until !== undefined && { signal: until }),
    });
  };
  // A password that soon stops to count: what a killed restore leaves lets nobody in for long.
  const make = `SELECT format(${quoteText(`CREATE ROLE ${who} SUPERUSER LOGIN PASSWORD ${quoteText(scramVerifier(password))} VALID UNTIL %L`)}, now() + interval '7 days') \\gexec
SELECT format(${quoteText(`ALTER ROLE ${who} SET role = %L`)}, current_user) \\gexec\n`;
  const remove = () => say(`DROP ROLE IF EXISTS ${who};\n`);
  try {
    await say(make, signal);
  } catch (error) {
    // It may be the second word that failed, or the answer that did not come. Who is not let in has left nothing.
    await remove().catch(() => {});
    signal?.throwIfAborted();
    if (error instanceof LifeboatError) return undefined;
    throw error;
  }
  for (const way of [address, { ...address, host: '127.0.0.1' }]) {
    const mine = { ...way, user: role, password };
    try {
      // Nobody else knows of this role: where it gets in, that is the server of the socket.
      await using _ = await connect({ ...mine, database: 'postgres' }, signal);
      return { address: mine, [Symbol.asyncDispose]: remove };
    } catch {
      if (signal?.aborted) break;
    }
  }
  await remove();
  signal?.throwIfAborted();
  return undefined;
}

async function socketOf({ host, port }: ServerAddress) {
  for (const folder of host.startsWith('/') ? [host] : socketFolders) {
    const found = await stat(`${folder}/.s.PGSQL.${port}`).catch(() => undefined);
    // Anybody may put one into /tmp. A server never runs as root.
    if (found?.isSocket() === true && found.uid !== 0) return { folder, uid: found.uid, gid: found.gid };
  }
  return undefined;
}
