import pg from 'pg';
import type { AskedCopy, QueryOptions, Rows } from '../engine.ts';
import { queryTooSlow } from '../errors.ts';
import { sandboxedDatabase } from './sandbox-server.ts';

const batchRows = 2000;
const booleanOid = 16;
const bytesOid = 17;

export async function* queryPostgres(copy: AskedCopy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  const { timeoutMs, signal } = options;
  const client = new pg.Client({
    ...sandboxedDatabase(copy.asked ?? copy.outside),
    statement_timeout: timeoutMs,
    connectionTimeoutMillis: 15_000,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  });
  client.on('error', () => {});
  const onAbort = () => void client.end().catch(() => {});
  signal.addEventListener('abort', onAbort, { once: true });
  let leftMs = timeoutMs;
  try {
    await client.connect();
    await client.query("SET timezone = 'UTC'; SET datestyle = 'ISO'");
    if (copy.role !== undefined) await client.query(asApplication, [copy.role]);
    await client.query('BEGIN READ ONLY');
    await client.query(`DECLARE rows NO SCROLL CURSOR FOR ${query.trim().replace(/;+\s*$/, '')}`);
    for (;;) {
      const asked = performance.now();
      const fetched = await client.query<(string | null)[]>({ text: `FETCH ${batchRows} FROM rows`, rowMode: 'array' });
      leftMs -= performance.now() - asked;
      yield { columns: fetched.fields.map(({ name }) => name), rows: fetched.rows };
      if (fetched.rows.length < batchRows) return;
      if (leftMs < 0) throw queryTooSlow({ dataset: copy.dataset, timeoutMs });
    }
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as { code?: unknown }).code;
    if (code === '57014') throw queryTooSlow({ dataset: copy.dataset, timeoutMs }, { cause: error });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await client.end().catch(() => {});
  }
}

/** Checks name tables as the application does: they are found where its role finds them. */
const asApplication = `
  SELECT pg_catalog.set_config('search_path', replace(coalesce(
    (SELECT substr(entry, 13) FROM pg_catalog.pg_db_role_setting s, unnest(setconfig) entry
     WHERE entry LIKE 'search_path=%' AND setrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1)
       AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
     ORDER BY setdatabase DESC LIMIT 1),
    current_setting('search_path')), '"$user"', quote_ident($1)), false)`;

/** Every value stays the text that the server sent, but for the two whose text is PostgreSQL's own habit. */
function parserOf(oid: number): (value: string) => string {
  if (oid === booleanOid) return (value) => (value === 't' ? 'true' : 'false');
  if (oid === bytesOid) return (value) => value.replace(/^\\x/, '');
  return (value) => value;
}
