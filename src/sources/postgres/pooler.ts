import type { Connection } from './connection.ts';
import { serverPooled, textsUnfixed } from './errors.ts';
import { showServer } from './url.ts';

/** The server's own process that answers now. The name is in full: the role's search path is not ours yet. */
export async function processOf(connection: Connection): Promise<number | undefined> {
  const [answer] = await connection.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  return answer?.pid;
}

/** Under load others come between two questions; a pooler that shares sessions is seen the sooner. */
const rounds = 8;

/**
 * A pooler that keeps no session for us hands what pg_dump sets on to the application, and what it holds to others. Where it
 * keeps one, two sessions never have one process, and one session never has two.
 * @throws `postgres-pooled`
 */
export async function demandOwnSession(
  connection: Connection,
  openAnother: (until: AbortSignal) => Promise<Connection>,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const server = showServer(connection.address);
  const deadline = AbortSignal.timeout(connection.address.connectTimeoutMs);
  try {
    const first = await processOf(connection);
    await using other = await openAnother(AbortSignal.any([signal, deadline]));
    for (let round = 0; round < rounds; round++) {
      const processes = [await processOf(other), await processOf(connection)];
      if (processes[0] === processes[1] || processes[1] !== first) {
        throw serverPooled({
          server,
          what: 'it shares its sessions with the application, which a backup would change',
        });
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    throw serverPooled({ server, what: 'it has no second session for a backup, which needs two' }, { cause: error });
  }
}

/**
 * pg_dump cannot be told through a pooler how to write values, so they must have the same text without.
 * @throws `postgres-texts-unfixed`
 */
export async function demandPlainTexts(connection: Connection, fix: () => Promise<unknown>): Promise<void> {
  const [before] = await connection.query<Texts>(textsQuery);
  await fix();
  const [after] = await connection.query<Texts>(textsQuery);
  const differ = [
    ...(before?.bytes === after?.bytes ? [] : ["bytea_output = 'hex'"]),
    ...(before?.money === after?.money || !after?.hasMoney ? [] : ["lc_monetary = 'C'"]),
  ];
  if (differ.length === 0) return;
  const { user } = connection.address;
  throw textsUnfixed({ server: showServer(connection.address), user, settings: differ });
}

interface Texts {
  readonly bytes: string;
  readonly money: string;
  readonly hasMoney: boolean;
}

const textsQuery = `
  SELECT decode('00ff', 'hex')::text AS bytes, (-1234567.89)::numeric::money::text AS money,
    EXISTS (SELECT FROM pg_attribute WHERE atttypid IN ('money'::regtype, 'money[]'::regtype) AND attrelid >= 16384)
      OR EXISTS (SELECT FROM pg_type WHERE typbasetype IN ('money'::regtype, 'money[]'::regtype))
      OR EXISTS (SELECT FROM pg_range WHERE rngsubtype = 'money'::regtype) AS "hasMoney"`;
