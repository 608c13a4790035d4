import { sentenceOf } from '../../core/errors.ts';
import { type Connection, connect, quoteName, quoteText } from './connection.ts';
import { databaseMissing, passwordWrong, restoreRightsMissing, roleMissing } from './errors.ts';
import type { DatabaseFacts } from './facts.ts';
import { scramVerifier } from './loader.ts';
import { localMaster } from './local-master.ts';
import { type ServerAddress, withDatabase } from './url.ts';

/** A server that something is restored onto. */
export interface OpenServer extends AsyncDisposable {
  /** In another database than that of the address. */
  readonly admin: Connection;
  /** As whom everything is done: the role of the URL, or a superuser of this one restore (local-master.ts). */
  readonly address: ServerAddress;
  readonly isMaster: boolean;
}

/**
 * Comes in as the role of the URL, and as a local superuser where that role is not let in or may not make what `facts` tell of.
 * @throws `postgres-restore-rights-missing`, with the SQL that mends it
 */
export async function openServer(
  address: ServerAddress,
  facts: DatabaseFacts | undefined,
  signal?: AbortSignal,
): Promise<OpenServer> {
  let own: Connection | undefined;
  let refused: unknown;
  try {
    own = await connectBeside(address, signal);
  } catch (error) {
    if (!passwordWrong.is(error) && !roleMissing.is(error)) throw error;
    refused = error;
  }
  try {
    const lacks = own === undefined ? undefined : await lackOf(own, facts);
    if (own !== undefined && lacks === undefined) return opened(own, { address, isMaster: false });
    const master = await localMaster(address, signal);
    if (master !== undefined) {
      await own?.close();
      const end = async () => await master[Symbol.asyncDispose]();
      try {
        const admin = await connectBeside(master.address, signal);
        return opened(admin, { address: master.address, isMaster: true }, end);
      } catch (error) {
        await end();
        throw error;
      }
    }
    if (own === undefined) {
      const what = `log in to restore: ${sentenceOf(refused)}`;
      const sql = `CREATE ROLE ${quoteName(address.user)} LOGIN CREATEDB CREATEROLE PASSWORD '…';`;
      throw restoreRightsMissing({ user: address.user, what, sql }, { cause: refused });
    }
    throw restoreRightsMissing({ user: address.user, ...lacks! });
  } catch (error) {
    await own?.close();
    throw error;
  }
}

function opened(
  admin: Connection,
  server: Pick<OpenServer, 'address' | 'isMaster'>,
  end: () => Promise<void> = async () => {},
): OpenServer {
  return {
    admin,
    ...server,
    async [Symbol.asyncDispose]() {
      try {
        await admin.close();
      } finally {
        await end();
      }
    },
  };
}

/** What the role of the session may not do that a restore does, and the SQL that lets it; undefined where nothing is in the way. */
async function lackOf(
  admin: Connection,
  facts: DatabaseFacts | undefined,
): Promise<{ what: string; sql: string } | undefined> {
  if (facts === undefined) return undefined;
  const [role] = await admin.query<{ isSuper: boolean; createsDatabases: boolean; createsRoles: boolean }>(
    `SELECT rolsuper AS "isSuper", rolcreatedb AS "createsDatabases", rolcreaterole AS "createsRoles"
     FROM pg_roles WHERE rolname = current_user`,
  );
  if (role === undefined || role.isSuper) return undefined;
  const present = await admin.query<{ name: string }>('SELECT rolname AS name FROM pg_roles');
  const needed = facts.globals.roles.map(({ name }) => name);
  const missing = needed.filter((name) => !present.some((one) => one.name === name));
  const lacks = [
    ...(role.createsDatabases ? [] : [{ right: 'CREATEDB', what: 'create databases' }]),
    ...(role.createsRoles || missing.length === 0
      ? []
      : [{ right: 'CREATEROLE', what: `create the roles that the backup needs (${missing.join(', ')})` }]),
  ];
  if (lacks.length === 0) return undefined;
  const rights = lacks.map(({ right }) => right).join(' ');
  return {
    what: lacks.map(({ what }) => what).join(', nor '),
    sql: `ALTER ROLE ${quoteName(admin.address.user)} ${rights};`,
  };
}

/**
 * A backup by a role that may not read passwords has none, and the application could not log in to what is restored. That of the
 * URL is its own.
 */
export async function giveOwnPassword(
  admin: Connection,
  { user, password }: ServerAddress,
  facts: DatabaseFacts,
): Promise<void> {
  if (password === undefined || facts.globals.roles.find(({ name }) => name === user)?.password !== null) return;
  const [role] = await admin.query<{ hasNone: boolean }>(
    'SELECT rolpassword IS NULL AS "hasNone" FROM pg_authid WHERE rolname = $1',
    [user],
  );
  if (role?.hasNone !== true) return;
  await admin.query(`ALTER ROLE ${quoteName(user)} PASSWORD ${quoteText(scramVerifier(password))}`);
}

/** A session on the server that is not in the database itself: that could be neither renamed nor dropped. */
export async function connectBeside(address: ServerAddress, signal?: AbortSignal): Promise<Connection> {
  const others = ['postgres', 'template1', 'defaultdb'].filter((name) => name !== address.database);
  let failure: unknown;
  for (const name of others) {
    try {
      return await connect(withDatabase(address, name), signal);
    } catch (error) {
      if (!databaseMissing.is(error)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}
