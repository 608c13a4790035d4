import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import { connect, type Session } from './connection.ts';
import { accessDenied, restoreRightsMissing } from './errors.ts';
import { rightsIn } from './rights.ts';
import { isLocal, type ServerAddress, showServer, usualSocket } from './url.ts';

/** A server that something is restored onto. */
export interface OpenTarget extends AsyncDisposable {
  /** In no database. */
  readonly admin: Session;
  /** As whom everything is done: the account of the URL, or the server's own `root` through its socket. */
  readonly address: ServerAddress;
}

/** What a restore does on a server: it fills a database beside the target, and gives accounts back. */
const needed = ['CREATE', 'DROP', 'ALTER', 'INSERT', 'SELECT', 'TRIGGER', 'EVENT', 'CREATE VIEW', 'CREATE ROUTINE'];

/**
 * Comes in as the account of the URL. Where that is not let in, or may not restore, and we are root on the server's own host, as the
 * server's root: through the socket it knows us by our system user.
 * @throws `mysql-restore-rights-missing`
 */
export async function openTarget(address: ServerAddress, signal: AbortSignal): Promise<OpenTarget> {
  let refused: unknown;
  try {
    const admin = await connect(address, { signal, database: '' });
    const why = await lackOf(admin);
    if (why === undefined) return opened(admin, address);
    await admin[Symbol.asyncDispose]();
    refused = new Error(why);
  } catch (error) {
    if (!accessDenied.is(error)) throw error;
    refused = error;
  }
  const master = await asRoot(address, signal);
  if (master !== undefined) return master;
  const fact = { server: showServer(address), user: address.user, why: sentenceOf(refused) };
  throw restoreRightsMissing(fact, { cause: refused });
}

function opened(admin: Session, address: ServerAddress): OpenTarget {
  return { admin, address, [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose]() };
}

async function lackOf(admin: Session): Promise<string | undefined> {
  // A name that no database has: rights on every one.
  const { all, rights } = await rightsIn(admin, '\0');
  const missing = all ? [] : needed.filter((right) => !rights.has(right));
  return missing.length === 0 ? undefined : `it lacks ${missing.join(', ')} on *.*`;
}

async function asRoot(address: ServerAddress, signal: AbortSignal): Promise<OpenTarget | undefined> {
  if (process.getuid?.() !== 0 || !isLocal(address)) return undefined;
  const { host: _, ...rest } = address;
  const root = { ...rest, user: 'root', password: '', socket: address.socket ?? usualSocket };
  try {
    const admin = await connect(root, { signal, database: '' });
    const [row] = await admin.ask('SELECT @@port p, @@skip_networking s');
    // Another server may answer there.
    const isSame = address.socket !== undefined || (row?.p === String(address.port) && row.s === '0');
    if (isSame && (await lackOf(admin)) === undefined) return opened(admin, root);
    await admin[Symbol.asyncDispose]();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof LifeboatError)) throw error;
  }
  return undefined;
}
