import { toolMissing } from '../../process/errors.ts';
import { findTools, type Tool } from '../../process/find-tool.ts';
import { clientTooOld, clientUnpatched } from './errors.ts';

/** Where PostgreSQL's own programs lie, version by version: Debian, Red Hat, Homebrew. */
export const postgresFolders = [
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/opt/homebrew/opt/postgresql@*/bin',
] as const;

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
 * The first minor of each major in which a dump's text cannot make psql run a command of this host (CVE-2025-8714). Majors
 * before these were never mended, later ones never had it.
 */
const patchedMinors: ReadonlyMap<number, number> = new Map([
  [13, 22],
  [14, 19],
  [15, 14],
  [16, 10],
  [17, 6],
]);

function isPatched({ version, major }: Tool): boolean {
  if (major > 17) return true;
  return Number(version.split('.')[1] ?? 0) >= (patchedMinors.get(major) ?? Number.POSITIVE_INFINITY);
}

/**
 * B27: a client older than the server cannot work with it, so one is looked for wherever they are installed. Of those that are
 * new enough the oldest major is taken, its newest minor: a newer client writes settings that the same server then refuses
 * when the dump comes back (`transaction_timeout`, PostgreSQL 17). Throws `tool-missing`, `postgres-client-too-old`
 * naming both versions, or `postgres-client-unpatched`.
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
  const patched = fitting.filter(isPatched);
  const [unpatched] = fitting;
  if (patched.length === 0 && unpatched !== undefined)
    throw clientUnpatched({ tool, toolVersion: unpatched.version, toolMajor: unpatched.major });
  const oldestMajor = Math.min(...patched.map(({ major }) => major));
  const best = patched.find(({ major }) => major === oldestMajor);
  if (best !== undefined) return best;
  throw clientTooOld({ tool, toolVersion: newest.version, serverVersion: server.text, serverMajor: server.major });
}
