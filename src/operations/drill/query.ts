import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { compileCache } from '../../core/compile-cache.ts';
import { sentenceOf } from '../../core/errors.ts';
import { startProcess } from '../../process/start.ts';
import { sandboxedDatabase } from '../../sandbox/postgres.ts';
import { queryFailed, queryTooSlow } from './errors.ts';
import { isFaultOfThePlace } from './faults.ts';
import type { Copy } from './parts.ts';

export interface Rows {
  readonly columns: readonly string[];
  /** As the engine writes values as text; null is null. Binary is hex, booleans are `true` and `false` or 1 and 0. */
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>;
}

export interface QueryOptions {
  /** Of the engine's own time: while the reader works on a batch it does not run. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The rows of a query on a restored database, in batches; the first comes also when there is no row. It can change nothing.
 * @throws `drill-query-failed`, `drill-query-too-slow`
 */
export function queryCopy(copy: Copy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  return copy.kind === 'postgres' ? queryPostgres(copy, query, options) : querySqlite(copy, query, options);
}

/** The first row, or undefined. */
export async function firstRow(copy: Copy, query: string, options: QueryOptions) {
  // The first batch may hold the columns alone.
  for await (const { rows } of queryCopy(copy, query, options)) if (rows[0] !== undefined) return rows[0];
  return undefined;
}

const program = fileURLToPath(new URL('./sqlite-rows.ts', import.meta.url));

async function* querySqlite(copy: Copy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
  const { timeoutMs, signal } = options;
  const words = ['--disable-warning=ExperimentalWarning', program, copy.outside];
  await using child = await startProcess(process.execPath, words, { env: compileCache(), input: query, signal });
  let late = false;
  const timer = openStopwatch(timeoutMs, () => {
    late = true;
    void child.stop('SIGKILL');
  });
  try {
    let columns: string[] | undefined;
    for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
      timer.pause();
      if (columns === undefined) {
        columns = JSON.parse(line) as string[];
        yield { columns, rows: [] };
      } else yield { columns, rows: JSON.parse(line) as (string | null)[][] };
      timer.go();
    }
    const end = await child.ended;
    signal.throwIfAborted();
    if (late) throw queryTooSlow({ dataset: copy.dataset, timeoutMs });
    if (end.exitCode !== 0) {
      throw queryFailed({ dataset: copy.dataset, why: end.stderrTail.trim() || `signal ${end.signal}` });
    }
  } finally {
    timer.pause();
  }
}

interface Stopwatch {
  go(): void;
  pause(): void;
}

/** Runs from now on; `ring` is called when it has run for `leftMs`. */
function openStopwatch(leftMs: number, ring: () => void): Stopwatch {
  let left = leftMs;
  let since = performance.now();
  let timer = setTimeout(ring, left);
  return {
    go() {
      since = performance.now();
      timer = setTimeout(ring, left);
    },
    pause() {
      clearTimeout(timer);
      left = Math.max(0, left - (performance.now() - since));
    },
  };
}

const batchRows = 2000;
const booleanOid = 16;
const bytesOid = 17;

async function* queryPostgres(copy: Copy, query: string, options: QueryOptions): AsyncGenerator<Rows> {
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
    if (queryTooSlow.is(error) || isFaultOfThePlace(error)) throw error;
    throw queryFailed({ dataset: copy.dataset, why: sentenceOf(error) }, { cause: error });
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
