import pg from 'pg';
import { type LifeboatError, sentenceOf } from '../../core/errors.ts';
import { databaseMissing, passwordWrong, queryFailed, roleMissing, serverUnreachable } from './errors.ts';
import { clientConfig, type ServerAddress, showServer, wantsTls } from './url.ts';

type Row = Readonly<Record<string, unknown>>;

/** One session. Queries run one after the other. */
export interface Connection extends AsyncDisposable {
  readonly address: ServerAddress;
  /** @throws `postgres-query-failed`, with the server's error as its cause. */
  query<R extends object = Row>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

/** B28: a server's timeouts are for the application's sessions; in ours they would end a long backup half-way. */
const sessionSettings = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
/** A database or role may have its own way of writing a date, which another server would read as another day. */
const textSettings = [
  ...['SET search_path = pg_catalog', "SET timezone = 'UTC'", "SET datestyle = 'ISO, YMD'"],
  ...["SET intervalstyle = 'postgres'", 'SET standard_conforming_strings = on'],
];
const newerSettings = ['idle_session_timeout', 'transaction_timeout'];

/** Opens a session. Throws the errors that a person can mend: unreachable, wrong password, missing database or role. */
export async function connect(address: ServerAddress, signal?: AbortSignal): Promise<Connection> {
  signal?.throwIfAborted();
  const client = await open(address);
  const onAbort = () => void client.end().catch(() => {});
  signal?.addEventListener('abort', onAbort, { once: true });
  let closed = false;
  const connection: Connection = {
    address,
    async query<R extends object>(sql: string, values: readonly unknown[] = []) {
      signal?.throwIfAborted();
      try {
        const result = await client.query(sql, values.length === 0 ? undefined : [...values]);
        // Several statements at once give several results; nobody asks for rows of those.
        return (Array.isArray(result) ? [] : result.rows) as R[];
      } catch (error) {
        signal?.throwIfAborted();
        throw queryFailed({ database: address.database, why: sentenceOf(error) }, { cause: error });
      }
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
    const settings = sessionSettings.map((name) => `SET ${name} = 0`);
    await connection.query([...settings, ...textSettings].join(';'));
    await connection.query('SELECT set_config(name, $1, false) FROM pg_settings WHERE name = ANY($2)', [
      '0',
      newerSettings,
    ]);
    // So that the server notices within seconds when we are gone from a long query. Not every system can.
    await connection
      .query("SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'")
      .catch(() => {});
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
