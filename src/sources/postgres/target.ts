import { sentenceOf } from '../../core/errors.ts';
import type { Problem } from '../../core/run.ts';
import { type Connection, quoteName, sqlState } from './connection.ts';
import { extensionMissing, restoreRightsMissing } from './errors.ts';
import type { DatabaseFacts } from './facts.ts';
import { createRoles, withheld } from './globals.ts';
import { disownLoaders } from './loader.ts';
import type { Restoring } from './restore.ts';
import { showServer } from './url.ts';

/** Finds what would end the restore half-way: rights, extensions, tablespaces. */
export async function checkTarget({
  address,
  admin,
  version,
  facts,
}: Restoring): Promise<{ noTablespaces: boolean; isSuper: boolean; problems: Problem[] }> {
  const problems: Problem[] = [];
  const [role] = await admin.query<{ may: boolean; isSuper: boolean }>(
    'SELECT rolsuper OR rolcreatedb AS may, rolsuper AS "isSuper" FROM pg_roles WHERE rolname = current_user',
  );
  if (role?.may !== true) {
    const sql = `ALTER ROLE ${quoteName(address.user)} CREATEDB;`;
    throw restoreRightsMissing({ user: address.user, what: 'create databases', sql });
  }

  const available = await admin.query<{ name: string; version: string }>(
    'SELECT name, default_version AS version FROM pg_available_extensions',
  );
  const versions = new Map(available.map(({ name, version }) => [name, version]));
  const missing = facts.extensions.filter(({ name }) => !versions.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    const debianPackage = missing.map((name) => packageOf(name, version.major)).join(' ');
    const server = showServer(address);
    throw extensionMissing({ server, extensions: missing.join(', '), serverMajor: version.major, debianPackage });
  }
  for (const extension of facts.extensions) {
    const installs = versions.get(extension.name);
    if (installs === extension.version) continue;
    const message = `Extension ${extension.name} was ${extension.version} and comes back as ${installs}, the version of this server.`;
    problems.push({ code: 'extension-version-differs', message });
  }

  const tablespaces = await admin.query<{ name: string }>('SELECT spcname AS name FROM pg_tablespace');
  const absent = facts.tablespaces.filter((name) => !tablespaces.some((tablespace) => tablespace.name === name));
  if (absent.length > 0) {
    const message = `This server lacks tablespaces ${absent.join(', ')}: everything goes into its default one.`;
    problems.push({ code: 'tablespaces-missing', message });
  }
  return { noTablespaces: absent.length > 0, isSuper: role.isSuper, problems };
}

/** Whether code that this session runs can reach the operating system, or make itself a role that can. */
export async function isMaster(admin: Connection): Promise<boolean> {
  const [role] = await admin.query<{ is: boolean }>(
    `SELECT bool_or(rolsuper OR rolreplication OR rolname ~ '^pg_(execute|read|write)_server_'
       OR (rolcreaterole AND current_setting('server_version_num')::int < 160000)) AS is
     FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')`,
  );
  return role?.is !== false;
}

/** Extensions that come with PostgreSQL are in its own package; Debian names the others' after them. */
function packageOf(extension: string, serverMajor: number): string {
  const others: Readonly<Record<string, string>> = {
    vector: 'pgvector',
    pg_cron: 'cron',
    postgis_topology: 'postgis-3',
  };
  const contrib =
    /^(amcheck|bloom|btree_gi[ns]t?|citext|cube|dblink|dict_|earthdistance|file_fdw|fuzzystrmatch|hstore|intarray|isn|lo|ltree|pg_trgm|pgcrypto|pgrowlocks|pgstattuple|postgres_fdw|seg|sslinfo|tablefunc|unaccent|uuid-ossp|xml2|pg_stat_statements)/;
  if (contrib.test(extension)) return `postgresql-contrib`;
  if (extension.startsWith('postgis')) return `postgresql-${serverMajor}-postgis-3`;
  return `postgresql-${serverMajor}-${others[extension] ?? extension.replaceAll('_', '-')}`;
}

/**
 * What roles and database had set and this server does not know: a setting that is gone since, or of an extension that is not loaded.
 * @returns the facts without them
 */
export async function withoutUnknownSettings(
  admin: Connection,
  facts: DatabaseFacts,
): Promise<{ facts: DatabaseFacts; problems: Problem[] }> {
  const known = await admin.query<{ name: string }>('SELECT lower(name) AS name FROM pg_settings');
  // The view hides a few that may be set all the same.
  const names = new Set(['role', 'session_authorization', 'seed', ...known.map(({ name }) => name)]);
  // With a dot it may be anybody's.
  const isKnown = ({ name }: { readonly name: string }) => name.includes('.') || names.has(name.toLowerCase());
  const { globals, settings } = facts;
  const gone = [...globals.settings, ...settings].filter((one) => !isKnown(one));
  const problems = gone.map(({ role, name, value }) => {
    const whose = role === '' ? 'the database' : role;
    const message = `${whose} had ${name} = ${value}, which this server does not know: it was left out.`;
    return { code: 'setting-left-out', message };
  });
  const left = { ...globals, settings: globals.settings.filter(isKnown) };
  return { facts: { ...facts, globals: left, settings: settings.filter(isKnown) }, problems };
}

/** Creates the roles that this server lacks; those it has stay as they are. */
export async function createMissingRoles(
  admin: Connection,
  { globals }: DatabaseFacts,
): Promise<{ roles: readonly string[]; problems: readonly Problem[] }> {
  const present = await admin.query<{ name: string; isSuper: boolean }>(
    'SELECT rolname AS name, rolsuper AS "isSuper" FROM pg_roles',
  );
  const isMissing = (role: string) => !present.some(({ name }) => name === role);
  const missing = globals.roles.map(({ name }) => name).filter(isMissing);
  if (missing.length === 0) return { roles: [], problems: [] };
  const supers = new Set(present.filter(({ isSuper }) => isSuper).map(({ name }) => name));
  const { facts, statements } = withheld(globals, isMissing, supers);
  try {
    // One statement, one transaction: all of them or none.
    await admin.query(createRoles(facts));
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    const { user } = admin.address;
    const what = `create the roles that the backup needs (${missing.join(', ')}): ${sentenceOf(error)}`;
    throw restoreRightsMissing({ user, what, sql: `ALTER ROLE ${quoteName(user)} CREATEROLE;` }, { cause: error });
  }
  if (statements.length === 0) return { roles: missing, problems: [] };
  const message = `New roles came back without the rights that would make them masters of this server. Give them only if they are right: ${statements.join(' ')}`;
  return { roles: missing, problems: [{ code: 'role-rights-withheld', message }] };
}

export async function dropRoles(admin: Connection, roles: readonly string[]): Promise<void> {
  await disownLoaders(admin, roles);
  if (roles.length > 0) await admin.query(`DROP ROLE IF EXISTS ${roles.map(quoteName).join(', ')}`);
}
