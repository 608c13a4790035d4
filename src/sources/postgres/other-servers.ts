import type { Problem } from '../../core/run.ts';
import type { Connection } from './connection.ts';

/** A materialised view that is filled from tables of another server. */
interface FilledFromAfar {
  readonly view: string;
  readonly table: string;
}

/** Also through views, partitions and children. What a function asks of another server nobody can tell. */
export function filledFromAfar(connection: Connection): Promise<FilledFromAfar[]> {
  return connection.query<FilledFromAfar>(query);
}

/** A restore computes such a view anew, so it needs what is in no backup. */
export async function foreignProblems(connection: Connection): Promise<Problem[]> {
  return (await filledFromAfar(connection)).map(({ view, table }) => {
    const message = `${view} is filled from the foreign table ${table}: a restore brings it back without rows where that server does not answer.`;
    return { code: 'view-filled-from-afar', message };
  });
}

const query = `
  WITH RECURSIVE reads AS (
    SELECT ev_class AS who, refobjid AS what FROM pg_rewrite r
      JOIN pg_depend d ON classid = 'pg_rewrite'::regclass AND objid = r.oid AND refclassid = 'pg_class'::regclass
    WHERE refobjid <> ev_class
    UNION SELECT inhparent, inhrelid FROM pg_inherits
  ), reached AS (
    SELECT oid AS view, oid AS what FROM pg_class WHERE relkind = 'm' AND relispopulated
    UNION SELECT view, r.what FROM reached JOIN reads r ON r.who = reached.what
  )
  SELECT view::regclass::text AS view, min(what::regclass::text) AS table FROM reached JOIN pg_class ON pg_class.oid = what
  WHERE relkind = 'f' GROUP BY view ORDER BY 1`;
