import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { NotCompared } from '../../core/expectations.ts';
import { madeNotValid, notMadeAgain } from '../../core/not-as-it-was.ts';
import type { Problem } from '../../core/run.ts';
import { type Connection, quoteName, quoteText, showTable, sqlState } from './connection.ts';
import { showEntry } from './dump-code.ts';
import { decoded } from './dump-names.ts';
import type { DumpEntry } from './dump-toc.ts';
import type { DatabaseFacts } from './facts.ts';

/** An object that the server refused, and what it said. */
export interface Refused {
  readonly entry: DumpEntry;
  readonly why: string;
  /** It was made, and could not be given to its owner. */
  readonly isOurs?: boolean;
}

/**
 * pg_dump's words are said with an empty search path, and code of the database often counts on the one that it has: views,
 * checks and generated columns that call functions whose bodies name tables without a schema. So what failed is tried again with
 * the database's own, except where the one who loads must run no code: there a name without a schema stays PostgreSQL's own.
 */
export function searchPathOf({ settings, owner }: DatabaseFacts, mayRunCode: boolean): string {
  if (!mayRunCode) return 'pg_catalog';
  const paths = settings.filter(({ name }) => name.toLowerCase() === 'search_path');
  const found = paths.find(({ role }) => role === '') ?? paths.find(({ role }) => role === owner);
  return found === undefined || found.value === '' ? '"$user", public' : found.value;
}

/** Kinds that no other object is made of, and that have no owner of their own. */
const alone = /^(INDEX|CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|MATERIALIZED VIEW DATA|TRIGGER|RULE)$/;

export interface MadeAgain {
  readonly problems: readonly Problem[];
  /** As the expectations name them. */
  readonly unfilled: readonly NotCompared[];
}

/**
 * Tries what failed once more, one after the other. A foreign key or a check that rows break, as they did in the source, comes back
 * without having looked at them. @throws what is no fault of the object: no room, no memory, no server
 */
export async function makeAgain(
  session: Connection,
  failed: readonly Refused[],
  { encoding, path }: { readonly encoding: string; readonly path: string },
): Promise<MadeAgain> {
  const problems: Problem[] = [];
  const unfilled: NotCompared[] = [];
  await setPath(session, path);
  for (const { entry, why } of failed) {
    const what = showEntry(entry);
    if (entry.kind === 'SECURITY LABEL') {
      const message = `${what} was left out: ${why}. Load its provider on this server to have it.`;
      problems.push({ code: 'security-label-left-out', message });
      continue;
    }
    if (!alone.test(entry.kind)) {
      problems.push(lost(what, why));
      continue;
    }
    const [definition = ''] = await decoded(session, [entry.definition], encoding);
    if (entry.kind === 'MATERIALIZED VIEW DATA') {
      const [schema = '', name = ''] = await decoded(session, [entry.namespace, entry.tag], encoding);
      const failure = await fillFromAfar(session, definition, unfilled.length > 0);
      if (failure === undefined) continue;
      if (!failure.isElsewhere) problems.push(lost(what, failure.why));
      else {
        const view = showTable(schema, name);
        const refresh = `REFRESH MATERIALIZED VIEW ${quoteName(schema)}.${quoteName(name)};`;
        const message = `${view} is back without rows: it is filled from another server, which did not answer (${failure.why}). When it does: ${refresh}`;
        problems.push({ code: 'view-not-filled', message });
        unfilled.push({
          table: `materialized view ${view}`,
          reason: 'filled from another server, which did not answer',
        });
      }
      continue;
    }
    const failure = await attempt(session, definition);
    if (failure === undefined) continue;
    const looser = definition.trimEnd().replace(/;$/, ' NOT VALID;');
    const mayBeLoose = /^(FK CONSTRAINT|CHECK CONSTRAINT)$/.test(entry.kind) && !/NOT VALID;\s*$/.test(definition);
    if (mayBeLoose && (await attempt(session, looser)) === undefined) {
      const message = `${what}: rows break it, as they did when they were backed up. It is back as NOT VALID: new rows are held to it.`;
      problems.push({ code: madeNotValid, message });
    } else problems.push(lost(what, failure));
  }
  await setPath(session, 'pg_catalog');
  return { problems, unfilled };
}

/**
 * A materialised view whose rows come from another server has none where that one is away, as it always is in a drill: nothing of
 * the backup is at fault. `afterSuch`: another one had none, and this one may read it. @returns undefined where it is filled
 */
async function fillFromAfar(
  session: Connection,
  refresh: string,
  afterSuch: boolean,
): Promise<{ readonly why: string; readonly isElsewhere: boolean } | undefined> {
  try {
    await session.query(refresh);
    return undefined;
  } catch (error) {
    const state = sqlState(error) ?? '';
    // Of a foreign server, or of who asks one (08, HV); a file that a foreign table reads (58P01); a view that is not filled.
    const isElsewhere = /^(08|HV)/.test(state) || state === '58P01' || (afterSuch && state === '55000');
    if (!isElsewhere) await demandServer(session, error);
    await session.query('SELECT');
    return { why: whyOf(error), isElsewhere };
  }
}

/** For words of the database itself, which also count on its views and foreign tables. As a value, never as SQL: it comes out of the backup. */
export async function setPath(session: Connection, path: string): Promise<void> {
  await session.query(
    "SELECT pg_catalog.set_config(name, '', false) FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
  );
  await session.query("SELECT pg_catalog.set_config('search_path', $1, false)", [path]);
}

export function lost(what: string, why: string): Problem {
  return { code: notMadeAgain, message: `${what} could not be made again: ${why}. Everything else is back.` };
}

/** @returns why it failed; undefined when it did not */
export async function attempt(session: Connection, statement: string): Promise<string | undefined> {
  try {
    await session.query(statement);
    return undefined;
  } catch (error) {
    await demandServer(session, error);
    return whyOf(error);
  }
}

function whyOf(error: unknown): string {
  const cause = error instanceof LifeboatError && error.cause !== undefined ? error.cause : error;
  return sentenceOf(cause).replace(/\.$/, '');
}

/** A foreign server that does not answer is the object's affair; our own that does not, or has no room, is not. */
async function demandServer(session: Connection, error: unknown): Promise<void> {
  if (/^(53|58|XX)/.test(sqlState(error) ?? '')) throw error;
  await session.query('SELECT').catch(() => {
    throw error;
  });
}

type Table = readonly [schema: string, name: string];

/** Which of these relations there are. */
export async function areThere(session: Connection, tables: readonly Table[]): Promise<boolean[]> {
  const names = tables.map(([schema, name]) => `${quoteName(schema)}.${quoteName(name)}`);
  const rows = await session.query<{ is: boolean }>(
    'SELECT to_regclass(name) IS NOT NULL AS is FROM unnest($1::text[]) WITH ORDINALITY AS n (name, at) ORDER BY at',
    [names],
  );
  return rows.map(({ is }) => is);
}

interface Checks {
  /** Puts them back, and says which rows break. */
  restore(): Promise<Problem[]>;
}

/**
 * Takes the checks off tables whose rows they did not let in: one that reads other tables, or asks what day it is. The rows are those
 * that the source had, so they come first.
 */
export async function withoutChecks(session: Connection, tables: readonly Table[], path: string): Promise<Checks> {
  const names = tables.map(([schema, name]) => `${quoteName(schema)}.${quoteName(name)}`);
  const found = await session.query<{ table: string; name: string; definition: string; comment: string | null }>(
    `SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition,
       obj_description(oid, 'pg_constraint') AS comment
     FROM pg_constraint WHERE contype = 'c' AND coninhcount = 0 AND conrelid IN (
       SELECT unnest($1::regclass[]) UNION SELECT relid FROM unnest($1::regclass[]) t (c), pg_partition_ancestors(c) a)`,
    [names],
  );
  for (const { table, name } of found) await session.query(`ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(name)}`);
  return {
    async restore() {
      const problems: Problem[] = [];
      await setPath(session, path);
      for (const { table, name, definition, comment } of found) {
        const add = `ALTER TABLE ${table} ADD CONSTRAINT ${quoteName(name)} ${definition}`;
        if ((await attempt(session, add)) !== undefined) {
          const failure = await attempt(session, `${add} NOT VALID`);
          const what = `CHECK CONSTRAINT ${table} ${name}`;
          const message = `${what}: rows break it, as they may when they were backed up. It is back as NOT VALID: new rows are held to it.`;
          problems.push(failure === undefined ? { code: madeNotValid, message } : lost(what, failure));
          if (failure !== undefined) continue;
        }
        const on = `COMMENT ON CONSTRAINT ${quoteName(name)} ON ${table} IS`;
        if (comment !== null) await session.query(`${on} ${quoteText(comment)}`);
      }
      await setPath(session, 'pg_catalog');
      return problems;
    },
  };
}
