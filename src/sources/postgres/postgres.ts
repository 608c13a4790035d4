import type { Source } from '../source.ts';
import { capturePostgres } from './capture.ts';
import { inspectPostgres } from './inspect.ts';
import { measurePostgres } from './measure.ts';
import { isAbsent, restorePostgres, wasPlaced } from './restore.ts';
import { openPostgresSaboteur } from './sabotage.ts';
import { parseUrl, showAddress } from './url.ts';

export interface PostgresOptions {
  readonly name: string;
  /** A connection URL, the password in it; `url.ts` says which settings it takes. */
  readonly url: string;
  /** Sessions that build indexes at the same time in a restore; as many as this host has processors, up to 4, when absent. */
  readonly jobs?: number;
  /** Tables whose rows are left out. Their definition stays. */
  readonly exclude: ReadonlyArray<{ readonly table: string; readonly reason: string }>;
  /** `counts` leaves the checksums out; `checksums` when absent. */
  readonly expectations?: 'checksums' | 'counts';
  /** Where PostgreSQL's own programs are looked for before PATH; the usual folders of this system when absent. */
  readonly clients?: { readonly folders: readonly string[] };
}

/** One database of a PostgreSQL server, by pg_dump and pg_restore. @throws `postgres-url-wrong` */
export function postgresSource(options: PostgresOptions): Source {
  const address = parseUrl(options.url);
  return {
    kind: 'postgres',
    profile: 'database',
    location: showAddress(address),
    hostPaths: [],
    inspect: (run) => inspectPostgres(address, options, run),
    capture: (run, leftOutBefore) => capturePostgres(address, options, run, leftOutBefore),
    restore: (contents, target, run) => restorePostgres(address, options, contents, target, run),
    wasPlaced: (mark, _, run) => wasPlaced(address, mark, run),
    isBare: (_, run) => isAbsent(address, run),
    measure: (where, expected, run, contents) => measurePostgres(parseUrl(where), options, expected, run, contents),
    openSaboteur: (where, run) => openPostgresSaboteur(where, run),
  };
}
