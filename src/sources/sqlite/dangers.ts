import { statfs } from 'node:fs/promises';
import type { Problem } from '../../core/run.ts';
import { runCommand } from '../../process/run.ts';

/** The version of SQLite that last wrote the database, from the header's bytes 96–99; undefined where it does not say. */
export async function lastWriterOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  // By a child: opened and closed in this process, the file would lose the locks of every connection to it.
  const { stdout } = await runCommand('head', ['-c', '100', path], { signal, deadlineMs: 10_000, dieWithUs: false });
  const number = stdout.length < 100 ? 0 : stdout.readUInt32BE(96);
  return number < 3_000_000
    ? undefined
    : [Math.trunc(number / 1e6), Math.trunc(number / 1e3) % 1000, number % 1000].join('.');
}

/**
 * Versions in which two connections that write and checkpoint at the same instant can lose commits (Q1, sqlite.org/wal.html
 * "the WAL-reset bug"): 3.7.0 to 3.51.2, but for 3.44.6 and 3.50.7 and what followed on their branches.
 */
export function hasWalResetBug(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major !== 3 || minor < 7 || minor > 51) return false;
  if (minor === 44) return patch < 6;
  if (minor === 50) return patch < 7;
  return minor < 51 || patch < 3;
}

export interface Engines {
  readonly path: string;
  readonly version: string;
  readonly writer: string | undefined;
  readonly journalMode: string;
}

export function dangersOf({ path, version, writer, journalMode }: Engines): Problem[] {
  if (journalMode !== 'wal') return [];
  const problem = (who: string) => ({
    code: 'sqlite-wal-reset-bug',
    message: `${who}, which can lose commits of ${path} when two connections checkpoint at once. Use 3.51.3 or newer.`,
  });
  return [
    ...(hasWalResetBug(version) ? [problem(`Lifeboat runs with SQLite ${version}`)] : []),
    ...(writer !== undefined && hasWalResetBug(writer)
      ? [problem(`The application writes with SQLite ${writer}`)]
      : []),
  ];
}

/** statfs types of file systems whose locks SQLite cannot rely on (Q22). */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
]);

export async function networkProblems(path: string): Promise<Problem[]> {
  const network = networkTypes.get((await statfs(path)).type >>> 0);
  if (network === undefined) return [];
  const message = `${path} lies on ${network}, whose locks SQLite cannot rely on: it may be damaged when two hosts use it.`;
  return [{ code: 'sqlite-on-network', message }];
}
