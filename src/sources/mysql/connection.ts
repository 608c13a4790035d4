import mysql from 'mysql2';
import { sentenceOf } from '../../core/errors.ts';
import { accessDenied, databaseMissing, serverUnreachable } from './errors.ts';
import { type ServerAddress, showAddress } from './url.ts';

/** One session of a server. Values come as the server's own text, in bytes. */
export interface Session extends AsyncDisposable {
  /** Rows of an answer whose texts are UTF-8. */
  ask(sql: string, values?: readonly string[]): Promise<readonly Row[]>;
  /** Runs a statement whose answer nobody wants. */
  run(sql: string): Promise<void>;
  /** Rows as bytes, null is null: many at a time, for one at a time costs more than what is in it, and no more than the reader takes. */
  rows(sql: string): AsyncIterable<readonly BytesRow[]>;
}

export type BytesRow = ReadonlyArray<Buffer | null>;

export type Row = Readonly<Record<string, string | null>>;

const connectTimeoutMs = 15_000;
const batchRows = 512;
const batchBytes = 1 << 20;

/** @throws `mysql-server-unreachable`, `mysql-access-denied`, `mysql-database-missing` */
export async function connect(
  address: ServerAddress,
  { signal, database = address.database }: { readonly signal: AbortSignal; readonly database?: string },
): Promise<Session> {
  signal.throwIfAborted();
  const connection = mysql.createConnection({
    ...(address.socket === undefined
      ? { host: address.host ?? '', port: address.port }
      : { socketPath: address.socket }),
    user: address.user,
    password: address.password,
    ...(database !== '' && { database }),
    charset: 'utf8mb4',
    connectTimeout: connectTimeoutMs,
    // Prepared statements are not used, and what a server sends is never asked for a file of this host.
    flags: ['-LOCAL_FILES'],
    typeCast: false,
  });
  connection.on('error', () => {});
  const onAbort = () => connection.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  const close = async () => {
    signal.removeEventListener('abort', onAbort);
    await new Promise<void>((done) => {
      connection.end(() => done());
    }).catch(() => {});
    connection.destroy();
  };
  try {
    await new Promise<void>((done, failed) => {
      connection.connect((error) => (error === null ? done() : failed(error)));
    });
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw named(error, address, database);
  }
  const query = (options: mysql.QueryOptions) =>
    new Promise<unknown>((done, failed) => {
      connection.query(options, (error, answer) => (error === null ? done(answer) : failed(error)));
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  return {
    async ask(sql, values = []) {
      const answer = (await query({ sql, values: [...values] })) as Record<string, Buffer | null>[];
      return answer.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])),
      );
    },
    async run(sql) {
      await query({ sql });
    },
    rows: (sql) => batchesOf(connection, sql, signal),
    [Symbol.asyncDispose]: close,
  };
}

async function* batchesOf(
  connection: mysql.Connection,
  sql: string,
  signal: AbortSignal,
): AsyncGenerator<readonly BytesRow[]> {
  let batch: BytesRow[] = [];
  let size = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  const query = connection.query({ sql, rowsAsArray: true });
  query.on('result', (row: unknown) => {
    const values = row as BytesRow;
    batch.push(values);
    for (const value of values) size += value?.length ?? 0;
    if (batch.length < batchRows && size < batchBytes) return;
    connection.pause();
    wake();
  });
  query.on('error', (error: unknown) => {
    failure = { error };
    wake();
  });
  query.on('end', () => {
    ended = true;
    wake();
  });
  for (;;) {
    if (batch.length < batchRows && size < batchBytes && !ended && failure === undefined)
      await new Promise<void>((done) => {
        wake = done;
      });
    if (failure !== undefined) {
      signal.throwIfAborted();
      throw failure.error;
    }
    const full = batch;
    batch = [];
    size = 0;
    if (full.length > 0) yield full;
    if (ended && batch.length === 0) return;
    connection.resume();
  }
}

/** The number that a server gives its errors. */
export function numberOf(error: unknown): number | undefined {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' ? errno : undefined;
}

function named(error: unknown, address: ServerAddress, database: string): Error {
  const where = showAddress(address);
  const why = sentenceOf(error);
  const number = numberOf(error);
  if (number === 1049) return databaseMissing({ database, where }, { cause: error });
  if (number === 1044 || number === 1045 || number === 1698) return accessDenied({ where, why }, { cause: error });
  return serverUnreachable({ where, why }, { cause: error });
}

/** A name as SQL has it. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text as SQL has it, whatever `sql_mode` says of backslashes. */
export function literal(text: string): string {
  return text === '' ? "''" : `_utf8mb4 x'${Buffer.from(text).toString('hex')}'`;
}
