import pg from 'pg';
import { type LifeboatError, sentenceOf } from '../../core/errors.ts';
import {
  databaseClosed,
  databaseMissing,
  passwordWrong,
  queryFailed,
  roleMissing,
  serverPooled,
  serverUnreachable,
} from './errors.ts';
import { demandOwnSession, demandPlainTexts, processOf } from './pooler.ts';
import { settings } from './settings.ts';
import { clientConfig, type ServerAddress, showServer, wantsTls } from './url.ts';

type Row = Readonly<Record<string, unknown>>;

/** One session. Queries run one after the other. */
export interface Connection extends AsyncDisposable {
  readonly address: ServerAddress;
  /** Nothing stands between us and the server: what the session sets goes with it. */
  readonly direct: boolean;
  /** @throws `postgres-query-failed`, with the server's error as its cause. */
  query<R extends object = Row>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  /** Runs a `COPY … TO STDOUT` and lets its rows go. @returns how many they were */
  countCopied(sql: string): Promise<number>;
  close(): Promise<void>;
}

/**
 * Opens a session that may write, and sets what it needs for itself. Throws the errors that a person can mend: unreachable, wrong
 * password, missing database or role, `postgres-pooled`.
 */
export async function connect(address: ServerAddress, signal?: AbortSignal): Promise<Connection> {
  const connection = await openSession(address, signal);
  try {
    if (!connection.direct) {
      const what = 'a restore renames databases, and needs the server itself';
      throw serverPooled({ server: showServer(address), what });
    }
    await connection.query(settings('SET'));
    await newerSettings(connection, { local: false });
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * Opens a session that only reads, in one snapshot, until it is closed. Whatever it sets ends with its transaction, so that a
 * pooler has nothing of ours to hand to the application. `begin` begins that transaction. Throws as `connect` does.
 */
export async function connectReading(
  address: ServerAddress,
  signal?: AbortSignal,
  begin: (connection: Connection) => Promise<unknown> = beginReading,
): Promise<Connection> {
  const connection = await openSession(address, signal);
  try {
    if (!connection.direct) await demandOwnSession(connection, (until) => openSession(address, until), signal);
    await begin(connection);
    if (!connection.direct) await demandPlainTexts(connection, () => connection.query(settings('SET LOCAL')));
    else await connection.query(settings('SET LOCAL'));
    await newerSettings(connection, { local: true });
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function beginReading(connection: Connection): Promise<unknown> {
  return connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog');
}

/** Those that not every version or system has. */
async function newerSettings(connection: Connection, { local }: { local: boolean }): Promise<void> {
  await connection.query('SELECT set_config(name, $1, $3) FROM pg_settings WHERE name = ANY($2)', [
    '0',
    ['idle_session_timeout', 'transaction_timeout'],
    local,
  ]);
  // What is a table now may be a view, with a function in it, when it is read.
  await connection.query(
    "SELECT set_config(name, 'view, foreign-table', $1) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
    [local],
  );
  if (local) return await noticeOurEnd(connection);
  const check = "SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";
  await connection.query(check).catch(() => {});
}

/** In a transaction: the server notices within seconds when we are gone from a long query. Takes no snapshot. */
export async function noticeOurEnd(connection: Connection): Promise<void> {
  await connection.query('SAVEPOINT attempt');
  // Not every version or system has it.
  await connection
    .query("SET LOCAL client_connection_check_interval = '2s'")
    .catch(() => connection.query('ROLLBACK TO attempt'));
  await connection.query('RELEASE attempt');
}

async function openSession(address: ServerAddress, signal?: AbortSignal): Promise<Connection> {
  signal?.throwIfAborted();
  const client = await open(address);
  const onAbort = () => void client.end().catch(() => {});
  signal?.addEventListener('abort', onAbort, { once: true });
  let closed = false;
  let direct = false;
  const ask = async (sql: string, values: readonly unknown[]) => {
    signal?.throwIfAborted();
    try {
      return await client.query(sql, values.length === 0 ? undefined : [...values]);
    } catch (error) {
      signal?.throwIfAborted();
      throw queryFailed({ database: address.database, why: sentenceOf(error) }, { cause: error });
    }
  };
  const connection: Connection = {
    address,
    get direct() {
      return direct;
    },
    async query<R extends object>(sql: string, values: readonly unknown[] = []) {
      const result = await ask(sql, values);
      // Several statements at once give several results; nobody asks for rows of those.
      return (Array.isArray(result) ? [] : result.rows) as R[];
    },
    async countCopied(sql) {
      return (await ask(sql, [])).rowCount ?? 0;
    },
    async close() {
      if (closed) return;
      closed = true;
      signal?.removeEventListener('abort', onAbort);
      await client.end().catch(() => {});
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
  try {
    // A pooler answers the greeting itself: the process that it names is none of the server's.
    const greeted = (client as unknown as { processID: number | null }).processID;
    direct = (await processOf(connection)) === greeted;
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function open(address: ServerAddress): Promise<pg.Client> {
  const tls = wantsTls(address);
  try {
    return await tryOpen(address, tls);
  } catch (error) {
    // `prefer` takes what it gets; every other mode insists.
    if (tls && address.tls.mode === 'prefer' && /does not support SSL/.test(sentenceOf(error))) {
      return await tryOpen(address, false).catch((second: unknown) => {
        throw connectError(address, second);
      });
    }
    throw connectError(address, error);
  }
}

async function tryOpen(address: ServerAddress, tls: boolean): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(address, tls));
  // A server that goes away between two queries; the next query tells.
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

function connectError(address: ServerAddress, error: unknown): LifeboatError {
  const server = showServer(address);
  const { user, database } = address;
  const why = sentenceOf(error) || String((error as { code?: unknown }).code ?? 'no answer');
  const options = { cause: error };
  switch (sqlState(error)) {
    case '28P01':
      return passwordWrong({ server, user, why }, options);
    case '28000':
      if (/role .* does not exist/.test(why)) return roleMissing({ server, user }, options);
      return passwordWrong({ server, user, why }, options);
    case '3D000':
      return databaseMissing({ server, database }, options);
    case '55000':
      return databaseClosed({ server, database, why }, options);
    case '42501':
      return passwordWrong({ server, user, why }, options);
    default:
      if (/SASL|password/i.test(why)) return passwordWrong({ server, user, why }, options);
      return serverUnreachable({ server, why }, options);
  }
}

/** PostgreSQL's five-character code of an error, also of one that we wrapped. */
export function sqlState(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = (at as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** As people and the engine write it: quotes only where they are needed. */
function showName(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteName(name);
}

export function showTable(schema: string, table: string): string {
  return `${showName(schema)}.${showName(table)}`;
}
