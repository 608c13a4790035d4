import { type Connection, noticeOurEnd, quoteName, sqlState } from './connection.ts';

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
  await beginBeside(connection, lockWaitMs);
  for (let at = 0; at < tables.length; at += batchSize) {
    await connection.query(lock(tables.slice(at, at + batchSize)));
  }
}

/** The same with nothing held, for a database where somebody always waits for what we hold: pg_dump is let in first. */
export async function beginBeside(connection: Connection, lockWaitMs: number): Promise<void> {
  const waits = [`SET LOCAL lock_timeout = ${lockWaitMs}`, 'SET LOCAL statement_timeout = 0'];
  await connection.query(
    ['BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', 'SET LOCAL search_path = pg_catalog', ...waits].join(';'),
  );
  await noticeOurEnd(connection);
}

interface Named {
  readonly schema: string;
  readonly name: string;
}

function lock(tables: readonly Named[]): string {
  const names = tables.map(({ schema, name }) => `ONLY ${quoteName(schema)}.${quoteName(name)}`);
  return `LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`;
}

/**
 * Beside a pg_dump that has all its locks: holds of `tables` what can be had at once. Who waits to change one of the others
 * goes on when pg_dump ends, and stands before us until then.
 */
export async function holdFree<Table extends Named>(
  connection: Connection,
  tables: readonly Table[],
): Promise<Set<Table>> {
  const held = new Set<Table>();
  const hold = async (some: readonly Table[]): Promise<void> => {
    await connection.query('SAVEPOINT holding');
    try {
      await connection.query(`${lock(some)} NOWAIT`);
      await connection.query('RELEASE holding');
      for (const one of some) held.add(one);
    } catch (error) {
      if (!notFree.has(sqlState(error) ?? '')) throw error;
      await connection.query('ROLLBACK TO holding; RELEASE holding');
      if (some.length === 1) return;
      const half = some.length >> 1;
      await hold(some.slice(0, half));
      await hold(some.slice(half));
    }
  };
  for (let at = 0; at < tables.length; at += batchSize) await hold(tables.slice(at, at + batchSize));
  return held;
}

/** Somebody holds it or waits for it; it is not there any more, nor is its schema. */
const notFree: ReadonlySet<string> = new Set(['55P03', '42P01', '3F000']);

/**
 * Tables that were emptied, rewritten or dropped since the snapshot, by the file of each: the catalog's rows are the snapshot's, the
 * function looks at what is there now.
 */
export async function rewrittenSince(connection: Connection): Promise<(Named & { readonly oid: string })[]> {
  return connection.query(`
    SELECT c.oid::text, nspname AS schema, relname AS name ${fromTables}
      AND relkind = 'r' AND pg_relation_filenode(c.oid) IS DISTINCT FROM relfilenode ORDER BY 2, 3`);
}

const fromTables = `
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')`;

const tablesQuery = `SELECT nspname AS schema, relname AS name ${fromTables} ORDER BY 1, 2`;
