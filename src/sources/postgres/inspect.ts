import { isLocalHost } from '../../core/local-host.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Inspection } from '../source.ts';
import { type Connection, connectReading, quoteName } from './connection.ts';
import { rightsMissing, serverTooOld } from './errors.ts';
import { serverVersionOf } from './facts.ts';
import type { PostgresOptions } from './postgres.ts';
import { findClient } from './tools.ts';
import { type ServerAddress, verifiesServer } from './url.ts';

const oldestServer = 12;

/** Finds out before the dump what would end it half-way, and says what to do about it. */
export async function inspectPostgres(address: ServerAddress, options: PostgresOptions, run: Run): Promise<Inspection> {
  await using connection = await connectReading(address, run.signal);
  const version = await serverVersionOf(connection);
  if (version.major < oldestServer) throw serverTooOld({ serverVersion: version.text });
  const found = { ...options.clients, signal: run.signal };
  const pgDump = await findClient('pg_dump', version, found);
  const pgRestore = await findClient('pg_restore', version, found);
  await demandRights(connection);
  const [size] = await connection.query<{ bytes: string }>(
    'SELECT pg_database_size(current_database())::text AS bytes',
  );
  return {
    versions: { server: version.text, pg_dump: pgDump.version, pg_restore: pgRestore.version },
    sizeBytes: Number(size?.bytes),
    problems: [
      ...ignored(address),
      ...unverified(address),
      ...(await hiddenThings(connection)),
      ...(await restoreRights(connection)),
    ],
  };
}

/** As in libpq, the default tries TLS and looks at nobody's certificate. */
export function unverified(address: ServerAddress): Problem[] {
  const { host, tls } = address;
  if (isLocalHost(host) || verifiesServer(address)) return [];
  const danger =
    tls.mode === 'require'
      ? 'nothing shows that it is the right server'
      : 'the connection may be neither encrypted nor to the right server';
  const message = `With sslmode=${tls.mode}, ${danger}: whoever is on the way to ${host} can take the password and the data. Write ?sslmode=verify-full&sslrootcert=FILE in its URL, with the server's CA certificate.`;
  return [{ code: 'server-unverified', message }];
}

function ignored({ ignored: names }: ServerAddress): Problem[] {
  if (names.length === 0) return [];
  const message = `Of its URL ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} for the application alone: a backup does without.`;
  return [{ code: 'url-settings-ignored', message }];
}

/** Enough for backups, and found out on the bad day otherwise. */
async function restoreRights(connection: Connection): Promise<Problem[]> {
  const { user } = connection.address;
  const [role] = await connection.query<{ may: boolean }>(
    'SELECT rolsuper OR rolcreatedb AS may FROM pg_roles WHERE rolname = current_user',
  );
  if (role?.may !== false) return [];
  const others = await connection.query<{ owner: string }>(othersQuery);
  const owners = others.map(({ owner }) => quoteName(owner)).join(', ');
  const grant = owners === '' ? '' : ` GRANT ${owners} TO ${quoteName(user)};`;
  const message = `${user} may back up and not restore, which makes a new database: on the bad day take a superuser's URL (lifeboat restore … --into URL), or as a superuser now: ALTER ROLE ${quoteName(user)} CREATEDB;${grant}`;
  return [{ code: 'restore-needs-more-rights', message }];
}

/** Whom something belongs to that a restore gives back, and whose role this one may not take. What is a superuser's only one can give back. */
const othersQuery = `
  SELECT rolname AS owner FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_' AND NOT pg_has_role(current_user, oid, 'MEMBER')
    AND oid IN (SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
      AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
  ORDER BY 1`;

interface Unreadable {
  readonly name: string;
  readonly kind: 'schema' | 'table' | 'sequence' | 'large object' | 'protected';
}

async function demandRights(connection: Connection): Promise<void> {
  const { user, database } = connection.address;
  const unreadable = await connection.query<Unreadable>(unreadableQuery);
  const only = (kind: Unreadable['kind']) => unreadable.filter((thing) => thing.kind === kind).map(({ name }) => name);
  const hidden = only('protected');
  const objects = only('large object');
  const others = unreadable.filter(({ kind }) => kind !== 'protected' && kind !== 'large object');
  const who = quoteName(user);
  if (others.length > 0) {
    const what = some(others.map(({ kind, name }) => `${kind} ${name}`));
    throw rightsMissing({ user, database, what, grant: grantReadAll(connection, who, await hasReadAll(connection)) });
  }
  if (hidden.length > 0) {
    const what = `row security hides rows of ${some(hidden)}`;
    throw rightsMissing({ user, database, what, grant: `ALTER ROLE ${who} BYPASSRLS;` });
  }
  if (objects.length > 0) {
    const grant = `DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO ${who}', o); END LOOP; END $$;`;
    throw rightsMissing({ user, database, what: `large objects ${some(objects)}`, grant });
  }
}

function grantReadAll(connection: Connection, who: string, exists: boolean): string {
  if (exists) return `GRANT pg_read_all_data TO ${who};`;
  // Before PostgreSQL 14.
  return `in ${quoteName(connection.address.database)}, for every schema: GRANT USAGE ON SCHEMA … TO ${who}; GRANT SELECT ON ALL TABLES IN SCHEMA … TO ${who}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA … TO ${who};`;
}

async function hasReadAll(connection: Connection): Promise<boolean> {
  return (await connection.query("SELECT FROM pg_roles WHERE rolname = 'pg_read_all_data'")).length > 0;
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** pg_dump leaves these out without failing or saying so. */
async function hiddenThings(connection: Connection): Promise<Problem[]> {
  const [hidden] = await connection.query<{ mappings: string }>(`
    SELECT count(*)::text AS mappings FROM pg_user_mappings JOIN pg_foreign_server s ON s.oid = srvid
    WHERE umoptions IS NULL AND NOT pg_has_role(srvowner, 'USAGE')`);
  if (Number(hidden?.mappings ?? 0) === 0) return [];
  const message = `Options may be hidden from this role, and come back missing, in ${countOf(Number(hidden?.mappings ?? 0), 'user mapping')} of foreign servers.`;
  return [{ code: 'user-mappings-hidden', message }];
}

// pg_dump locks every table and reads every sequence, also of tables whose rows are excluded.
const unreadableQuery = `
  WITH own AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  ), relations AS (
    SELECT c.oid, relkind, relrowsecurity, format('%I.%I', nspname, relname) AS name
    FROM pg_class c JOIN own ON own.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'S') AND NOT EXISTS (
      SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  )
  SELECT 'schema' AS kind, format('%I', nspname) AS name FROM own WHERE NOT has_schema_privilege(own.oid, 'USAGE')
    AND EXISTS (SELECT FROM pg_class WHERE relnamespace = own.oid AND relkind IN ('r', 'S'))
  UNION ALL SELECT 'table', name FROM relations WHERE relkind IN ('r', 'p') AND NOT has_table_privilege(oid, 'SELECT')
  UNION ALL SELECT 'sequence', name FROM relations WHERE NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'SELECT') ELSE true END
  UNION ALL SELECT 'protected', name FROM relations WHERE relrowsecurity AND row_security_active(oid)
  UNION ALL SELECT 'large object', m.oid::text FROM pg_largeobject_metadata m
    WHERE NOT pg_has_role(lomowner, 'USAGE') AND current_setting('lo_compat_privileges') = 'off'
      AND NOT EXISTS (SELECT FROM aclexplode(lomacl) a WHERE privilege_type = 'SELECT'
        AND (grantee = 0 OR pg_has_role(grantee, 'USAGE')))
  ORDER BY 1 DESC, 2`;
