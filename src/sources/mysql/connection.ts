import mysql from 'mysql2';
import { sentenceOf } from '../../core/errors.ts';
import { accessDenied, databaseMissing, serverUnreachable } from './errors.ts';
import { type ServerAddress, showServer, tlsOptions, wantsTls } from './url.ts';

/** One session of a server. Values come as the server's own text, in bytes. */
export interface Session extends AsyncDisposable {
  /** Rows of an answer whose texts are UTF-8. */
  ask(sql: string): Promise<readonly Row[]>;
  /** Runs a statement whose answer nobody wants. */
  run(sql: string): Promise<void>;
  /** Whether it answers still: a statement may be refused, or the server be gone. */
  answers(): Promise<boolean>;
  /**
   * Rows as the protocol has them, value after value, each after its length: many at a time, for one at a time costs more than what is in
   * it, and no more than the reader takes.
   */
  rows(sql: string): AsyncIterable<readonly Buffer[]>;
  /** Rows as text, with the names of their columns: what is no text is hex. */
  texts(sql: string): AsyncIterable<Texts>;
  /** How the server calls it: for KILL. */
  readonly id: number;
}

export interface Texts {
  readonly columns: readonly string[];
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>;
}

type BytesRow = ReadonlyArray<Buffer | null>;

export type Row = Readonly<Record<string, string | null>>;

const connectTimeoutMs = 15_000;

/** No limit of the server's ends a session that takes long, or cuts an answer short. */
const patient = `SET wait_timeout = 604800, net_write_timeout = 604800, net_read_timeout = 604800, max_statement_time = 0,
  idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0,
  sql_select_limit = 18446744073709551615, sql_safe_updates = 0`;
const batchRows = 2048;
const batchBytes = 1 << 20;

/**
 * Opens a session in which texts are UTF-8, times are UTC and nothing is read otherwise than it is written.
 * @param database where it begins; that of the address when absent, none when empty
 * @throws `mysql-server-unreachable`, `mysql-access-denied`, `mysql-database-missing`
 */
export async function connect(
  address: ServerAddress,
  { signal, database = address.database }: { readonly signal: AbortSignal; readonly database?: string },
): Promise<Session> {
  signal.throwIfAborted();
  const session = await openSession(address, database, wantsTls(address), signal);
  try {
    await session.run("SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = '', sql_quote_show_create = 1");
    await session.run(patient);
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** As the vendors' clients: `PREFERRED` goes on without encryption where the server has none. */
async function openSession(
  address: ServerAddress,
  database: string,
  tls: boolean,
  signal: AbortSignal,
): Promise<Session> {
  const connection = mysql.createConnection({
    ...(address.socket === undefined
      ? { host: address.host ?? '', port: address.port }
      : { socketPath: address.socket }),
    ...(tls && { ssl: tlsOptions(address) }),
    user: address.user,
    password: address.password,
    ...(database !== '' && { database }),
    charset: 'utf8mb4',
    connectTimeout: connectTimeoutMs,
    // Prepared statements are not used, and what a server sends is never asked for a file of this host.
    flags: ['-LOCAL_FILES'],
    typeCast: false,
  });
  // The driver answers no farewell of a connection that is gone, or that is in the midst of rows.
  let isOver = false;
  const end = () => {
    isOver = true;
    connection.destroy();
  };
  connection.on('error', end);
  connection.on('end', end);
  signal.addEventListener('abort', end, { once: true });
  const close = async () => {
    signal.removeEventListener('abort', end);
    if (!isOver)
      await new Promise<void>((done) => {
        connection.once('end', done);
        connection.end(() => done());
      });
    end();
  };
  try {
    await new Promise<void>((done, failed) => {
      connection.connect((error) => (error === null ? done() : failed(error)));
    });
  } catch (error) {
    signal.removeEventListener('abort', end);
    end();
    signal.throwIfAborted();
    if (tls && address.tls.mode === 'preferred' && hasNoTls(error))
      return openSession(address, database, false, signal);
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
    async ask(sql) {
      const answer = (await query({ sql })) as Record<string, Buffer | null>[];
      return answer.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])),
      );
    },
    async run(sql) {
      await query({ sql });
    },
    answers: () =>
      query({ sql: 'DO 0' }).then(
        () => true,
        () => false,
      ),
    rows: async function* (sql) {
      for await (const { rows } of batchesOf<Buffer>(connection, sql, { asTheyCome: true, signal, end })) yield rows;
    },
    texts: async function* (sql) {
      for await (const { fields, rows } of batchesOf<BytesRow>(connection, sql, { asTheyCome: false, signal, end })) {
        const encode = fields.map((field) => (isBinary(field) ? hexText : plainText));
        const columns = fields.map(({ name }) => name);
        yield {
          columns,
          rows: rows.map((row) => row.map((value, at) => (value === null ? null : encode[at]!(value)))),
        };
      }
    },
    id: connection.threadId ?? 0,
    [Symbol.asyncDispose]: close,
  };
}

const hexText = (value: Buffer) => value.toString('hex');
const plainText = (value: Buffer) => value.toString('utf8');

/** BIT, and blobs and strings without a character set: numbers and times have none either. */
function isBinary({ type, characterSet }: Field): boolean {
  return type === 16 || (characterSet === 63 && type !== undefined && type >= 249 && type <= 255);
}

interface Field {
  readonly name: string;
  readonly type?: number;
  readonly characterSet?: number;
}

interface Reading {
  /** Not taken apart: an object for each value is most of what the driver costs. */
  readonly asTheyCome: boolean;
  readonly signal: AbortSignal;
  readonly end: () => void;
}

async function* batchesOf<Row extends Buffer | BytesRow>(
  connection: mysql.Connection,
  sql: string,
  { asTheyCome, signal, end }: Reading,
): AsyncGenerator<{ readonly fields: readonly Field[]; readonly rows: readonly Row[] }> {
  let fields: readonly Field[] = [];
  let batch: Row[] = [];
  let size = 0;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  const query = connection.query({ sql, rowsAsArray: true });
  if (asTheyCome) leaveWhole(query);
  query.on('fields', (found: unknown) => {
    if (Array.isArray(found)) fields = found as Field[];
  });
  query.on('result', (row: unknown) => {
    // A statement that has no rows says how it ended.
    if (!Array.isArray(row) && !Buffer.isBuffer(row)) return;
    batch.push(row as Row);
    if (Buffer.isBuffer(row)) size += row.length;
    else for (const value of row as BytesRow) size += value?.length ?? 0;
    if (batch.length < batchRows && size < batchBytes) return;
    connection.pause();
    wake();
  });
  const fail = (error: unknown) => {
    failure ??= { error };
    wake();
  };
  query.on('error', fail);
  query.on('end', () => {
    ended = true;
    wake();
  });
  // The driver tells a query nothing of its connection's end.
  const lose = () => fail(new Error('the server closed the connection'));
  const onAbort = () => fail(signal.reason);
  connection.on('error', fail);
  connection.on('end', lose);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      if (batch.length < batchRows && size < batchBytes && !ended && failure === undefined)
        await new Promise<void>((done) => {
          wake = done;
        });
      signal.throwIfAborted();
      if (failure !== undefined) throw failure.error;
      const full = batch;
      batch = [];
      size = 0;
      if (full.length > 0) yield { fields, rows: full };
      if (ended && batch.length === 0) {
        // Whoever asks for columns wants them also of no row.
        yield { fields, rows: [] };
        return;
      }
      connection.resume();
    }
  } finally {
    // Whoever does not want the rest of it wants nothing more of this session.
    if (!ended) end();
    connection.off('error', fail);
    connection.off('end', lose);
    signal.removeEventListener('abort', onAbort);
  }
}

/** The driver has no word for it: its parser of rows is another, which takes none apart. */
function leaveWhole(query: mysql.Query): void {
  const next = ({ buffer, offset, end }: { buffer: Buffer; offset: number; end: number }) =>
    buffer.subarray(offset, end);
  Object.defineProperty(query, '_rowParser', { get: () => ({ next }), set() {} });
}

/** The number that a server gives its errors. */
export function numberOf(error: unknown): number | undefined {
  const { errno } = error as { errno?: unknown };
  return typeof errno === 'number' ? errno : undefined;
}

function hasNoTls(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'HANDSHAKE_NO_SSL_SUPPORT';
}

function named(error: unknown, address: ServerAddress, database: string): Error {
  const server = showServer(address);
  const { user } = address;
  const why = hasNoTls(error) ? 'it has no TLS, which the URL demands' : sentenceOf(error);
  const number = numberOf(error);
  if (number === 1049) return databaseMissing({ database, server }, { cause: error });
  if (number === 1044) return accessDenied({ server, user, why, database }, { cause: error });
  if (number === 1045 || number === 1698) return accessDenied({ server, user, why }, { cause: error });
  return serverUnreachable({ server, why }, { cause: error });
}
