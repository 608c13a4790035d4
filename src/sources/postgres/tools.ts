import { toolMissing } from '../../process/errors.ts';
import { findTools, postgresFolders, type Tool } from '../../process/find-tool.ts';
import { clientTooOld } from './errors.ts';

export interface ServerVersion {
  /** `15.18` */
  readonly text: string;
  readonly major: number;
}

export interface FindClientOptions {
  /** Instead of the folders of this system. */
  readonly folders?: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * B27: a client older than the server cannot work with it, so one is looked for wherever they are installed. Of those that are
 * new enough the oldest major is taken, its newest minor: a newer client writes settings that the same server then refuses
 * when the dump comes back (`transaction_timeout`, PostgreSQL 17). Throws `tool-missing`, or `postgres-client-too-old` naming
 * both versions.
 */
export async function findClient(tool: string, server: ServerVersion, options: FindClientOptions = {}): Promise<Tool> {
  const folders = options.folders ?? postgresFolders;
  const found = await findTools(tool, { folders, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  const [newest] = found;
  if (newest === undefined) {
    const debianPackage = `postgresql-client-${server.major}`;
    throw toolMissing({ tool, looked: [...folders, 'PATH'].join(', '), debianPackage });
  }
  const fitting = found.filter(({ major }) => major >= server.major);
  const oldestMajor = Math.min(...fitting.map(({ major }) => major));
  const best = fitting.find(({ major }) => major === oldestMajor);
  if (best !== undefined) return best;
  throw clientTooOld({ tool, toolVersion: newest.version, serverVersion: server.text, serverMajor: server.major });
}
