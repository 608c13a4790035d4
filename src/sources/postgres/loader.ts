import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Connection, connect, quoteName, quoteText, sqlState } from './connection.ts';
import { databaseMissing, serverUnreachable } from './errors.ts';
import type { ServerAddress } from './url.ts';

/**
 * Who loads a dump for a superuser: a role that is made for this one load, has no rights on the server, and is logged in as
 * itself (any function could take a `SET ROLE` back). What a dump defines runs as this role while it is loaded.
 */
export interface Loader {
  readonly role: string;
  /** The database that is filled, as the role that fills it. */
  readonly address: ServerAddress;
}

export interface LoaderOptions {
  readonly tablespaces: readonly string[];
  /** Before the role is made: who removes what a failed restore leaves removes it too. */
  readonly onRole: (role: string) => void;
}

/**
 * Opens the closed database to the new role alone. `inside`: a superuser's session in it, which has nothing of the dump but its
 * schemas and extensions. @returns undefined where the server lets no such role in
 */
export async function makeLoader(
  admin: Connection,
  inside: Connection,
  { tablespaces, onRole }: LoaderOptions,
): Promise<Loader | undefined> {
  const role = `lifeboat_load_${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const [who, database] = [quoteName(role), quoteName(inside.address.database)];
  onRole(role);
  // It may change its password, and not until when it counts: also what a killed restore leaves lets nobody in for long.
  const [until] = await admin.query<{ text: string }>("SELECT (now() + interval '7 days')::text AS text");
  const rights = [
    `CREATE ROLE ${who} LOGIN NOINHERIT PASSWORD ${quoteText(scramVerifier(password))} VALID UNTIL ${quoteText(until?.text ?? 'now')}`,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${database} TO ${who}`,
    `ALTER DATABASE ${database} CONNECTION LIMIT -1`,
    ...tablespaces.map((name) => `GRANT CREATE ON TABLESPACE ${quoteName(name)} TO ${who}`),
  ];
  await admin.query(rights.join(';'));
  const schemas = await inside.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace n WHERE (nspname = 'public' OR oid >= 16384) AND nspname !~ '^pg_'
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')`,
  );
  const wrappers = await inside.query<{ name: string }>('SELECT fdwname AS name FROM pg_foreign_data_wrapper');
  await runAll(inside, [
    ...schemas.map(({ name }) => `ALTER SCHEMA ${quoteName(name)} OWNER TO ${who}`),
    ...wrappers.map(({ name }) => `GRANT USAGE ON FOREIGN DATA WRAPPER ${quoteName(name)} TO ${who}`),
  ]);
  const address = await wayIn(admin, { ...inside.address, user: role, password });
  return address === undefined ? undefined : { role, address };
}

/** A server often lets only its own system users in through the socket, and roles with a password over TCP. */
async function wayIn(admin: Connection, address: ServerAddress): Promise<ServerAddress | undefined> {
  const [server] = await admin.query<{ port: number }>("SELECT current_setting('port')::int AS port");
  const ways = [address];
  const beside = { ...address, host: '127.0.0.1', port: server?.port ?? address.port };
  if (address.host.startsWith('/')) ways.push(beside);
  for (const way of ways) {
    try {
      await using connection = await connect(way);
      const [mine] = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      // Another server may listen there, or another user be who is let in.
      const found = await admin.query('SELECT FROM pg_stat_activity WHERE pid = $1 AND usename = $2 AND datname = $3', [
        mine?.pid,
        way.user,
        way.database,
      ]);
      if (found.length === 1) return way;
    } catch (error) {
      if (!isRefused(error) && !(way === beside && isElsewhere(error))) throw error;
    }
  }
  return undefined;
}

/** PostgreSQL's class 28: who may come in. A server that is full or just starting says nothing about that. */
function isRefused(error: unknown): boolean {
  return sqlState(error)?.startsWith('28') === true;
}

/** Nothing listens there, or another server without this database. */
function isElsewhere(error: unknown): boolean {
  return databaseMissing.is(error) || (serverUnreachable.is(error) && sqlState(error) === undefined);
}

/** No code of the dump runs any more, nor does it later: sessions that it may have opened end here. */
export async function closeLoader(admin: Connection, { role }: Pick<Loader, 'role'>): Promise<void> {
  await admin.query(`ALTER ROLE ${quoteName(role)} NOLOGIN`);
  for (let attempt = 0; attempt < 500; attempt++) {
    const left = await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
    if (left.length === 0) return;
    await admin.query('SELECT pg_sleep(0.02)');
  }
  throw new Error(`sessions of ${role} did not end`);
}

/** Those that other restores use, or left. */
export const loaderPattern = '^lifeboat_load_[0-9a-f]{16}$';

/** Ends what a restore that failed left of it on the server, and its rights there, with which it could not be dropped. */
export async function disownLoaders(admin: Connection, roles: readonly string[]): Promise<void> {
  const found = await admin.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY($1) AND rolname ~ $2',
    [roles, loaderPattern],
  );
  for (const { name } of found) {
    await closeLoader(admin, { role: name });
    await admin.query(`DROP OWNED BY ${quoteName(name)}`);
  }
}

/** Gives everything to its owner, by statements of the catalog that run nothing, and forgets the role. */
export async function handOver(
  admin: Connection,
  inside: Connection,
  { role }: Pick<Loader, 'role'>,
  owner: string,
  ownerOfPublic: string | undefined,
): Promise<void> {
  const [who, whose] = [quoteName(role), quoteName(owner)];
  const [publics] = await inside.query<{ owner: string }>(
    `SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'pg_database_owner' ELSE pg_get_userbyid(10) END AS owner`,
  );
  // A table takes its own sequences along.
  const relations = await inside.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE relowner = $1::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND relkind = 'S'
         AND deptype IN ('a', 'i'))`,
    [who],
  );
  await runAll(inside, [
    `ALTER SCHEMA public OWNER TO ${quoteName(ownerOfPublic ?? publics?.owner ?? owner)}`,
    ...relations.map(({ name }) => `ALTER TABLE ${name} OWNER TO ${whose}`),
  ]);
  await inside.query(`REASSIGN OWNED BY ${who} TO ${whose}; DROP OWNED BY ${who}`);
  await admin.query(`DROP ROLE ${who}`);
}

/** Each statement locks what it changes until its transaction ends. */
const batchSize = 200;

async function runAll(connection: Connection, statements: readonly string[]): Promise<void> {
  for (let at = 0; at < statements.length; at += batchSize) {
    await connection.query(statements.slice(at, at + batchSize).join(';\n'));
  }
}

/** So that the server sees no password, and writes none into its log. */
export function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const rounds = 4096;
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}
