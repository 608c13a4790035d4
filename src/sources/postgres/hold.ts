import { type Connection, noticeOurEnd, quoteName } from './connection.ts';

/** Tables named in one statement. */
const batchSize = 500;

/**
 * Begins the transaction of a reading session, with every table held against being emptied or rewritten, and only then its
 * snapshot: TRUNCATE, and an ALTER that rewrites, would show a snapshot from before them an empty table. Holds what pg_dump
 * holds, and no index. A table that is dropped before it is its turn makes it throw 42P01.
 */
export async function beginHolding(connection: Connection, lockWaitMs: number): Promise<void> {
  // No transaction before this one may go on: it had a snapshot.
  await connection.query('BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = 0');
  const tables = await connection.query<{ schema: string; name: string }>(tablesQuery);
  await connection.query('COMMIT');
  const waits = [`SET LOCAL lock_timeout = ${lockWaitMs}`, 'SET LOCAL statement_timeout = 0'];
  await connection.query(
    ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', 'SET LOCAL search_path = pg_catalog', ...waits].join(';'),
  );
  await noticeOurEnd(connection);
  for (let at = 0; at < tables.length; at += batchSize) {
    const names = tables
      .slice(at, at + batchSize)
      .map(({ schema, name }) => `ONLY ${quoteName(schema)}.${quoteName(name)}`);
    await connection.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`);
  }
}

const tablesQuery = `
  SELECT nspname AS schema, relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ORDER BY 1, 2`;
