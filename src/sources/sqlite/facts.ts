import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Measurement } from '../source.ts';

const properties = z.object({
  pageSize: z.number(),
  journalMode: z.string(),
  userVersion: z.number(),
  applicationId: z.number(),
  autoVacuum: z.number(),
  encoding: z.string(),
});

/** What a restore or a reader may want to know of the database. */
export interface SqliteFacts extends Readonly<z.infer<typeof properties>> {
  readonly path: string;
  readonly pageCount: number;
}

export function factsOf(database: DatabaseSync, path: string): SqliteFacts {
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  return {
    path,
    pageSize: Number(pragma('page_size')),
    pageCount: Number(pragma('page_count')),
    journalMode: String(pragma('journal_mode')),
    userVersion: Number(pragma('user_version')),
    applicationId: Number(pragma('application_id')),
    autoVacuum: Number(pragma('auto_vacuum')),
    encoding: String(pragma('encoding')),
  };
}

const pragmas = {
  pageSize: 'page_size',
  userVersion: 'user_version',
  applicationId: 'application_id',
  autoVacuum: 'auto_vacuum',
  encoding: 'encoding',
} as const;

/** What the file's header says for the application: migrations go by `user_version`. */
export function compareHeader(found: SqliteFacts, facts: Readonly<Record<string, unknown>>): Measurement['integrity'] {
  const recorded = properties.safeParse(facts).data;
  if (recorded === undefined) return [];
  const names = Object.keys(pragmas) as (keyof typeof pragmas)[];
  const others = names
    .filter((name) => recorded[name] !== found[name])
    .map((name) => `${pragmas[name]} is ${found[name]} instead of ${recorded[name]}`);
  // Only this mode is written down in the file; the others are a connection's own.
  const hasLog = ({ journalMode }: { readonly journalMode: string }) => journalMode === 'wal';
  if (hasLog(recorded) !== hasLog(found))
    others.push(`journal_mode is ${found.journalMode} instead of ${recorded.journalMode}`);
  const detail = others.length === 0 ? 'as recorded' : others.join('; ');
  return [{ name: 'header', ok: others.length === 0, looked: names.length + 1, detail }];
}
