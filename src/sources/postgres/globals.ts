import { z } from 'zod';
import type { Problem } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { type Connection, quoteName, quoteText } from './connection.ts';
import type { ServerVersion } from './tools.ts';

/** What SQL is made of when roles come back: words of a list, numbers, and names and texts that are quoted. */
const role = z.object({
  name: z.string().min(1),
  isBootstrap: z.boolean(),
  attributes: z.array(
    z.enum([
      ...(['SUPERUSER', 'NOSUPERUSER', 'INHERIT', 'NOINHERIT', 'CREATEROLE', 'NOCREATEROLE', 'CREATEDB'] as const),
      ...(['NOCREATEDB', 'LOGIN', 'NOLOGIN', 'REPLICATION', 'NOREPLICATION', 'BYPASSRLS', 'NOBYPASSRLS'] as const),
    ]),
  ),
  connectionLimit: z.int(),
  validUntil: z.string().nullable(),
  /** As the server keeps it, never as it is typed. */
  password: z
    .string()
    .regex(/^(SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+|md5[0-9a-f]{32})$/)
    .nullable(),
  comment: z.string().nullable(),
});
type Role = z.infer<typeof role>;

const membership = z.object({
  role: z.string().min(1),
  member: z.string().min(1),
  admin: z.boolean(),
  /** Null before PostgreSQL 16. */
  inherit: z.boolean().nullable(),
  set: z.boolean().nullable(),
});
type Membership = z.infer<typeof membership>;

export const globalFacts = z.object({
  roles: z.array(role),
  memberships: z.array(membership),
  settings: z.array(z.object({ role: z.string().min(1), name: z.string().min(1), value: z.string() })),
});
export type GlobalFacts = z.infer<typeof globalFacts>;

export interface Globals {
  readonly facts: GlobalFacts;
  /** For people, who may run it themselves. Holds password hashes. */
  readonly script: string;
  readonly problems: readonly Problem[];
}

/** The roles that this database needs: owners, the granted, those of its settings, and whom membership ties to them. */
export async function captureGlobals(connection: Connection, version: ServerVersion): Promise<Globals> {
  const passwords = await mayReadPasswords(connection);
  const tied = `r.oid IN (SELECT oid FROM tied) AND rolname !~ '^pg_'`;
  const roles = await connection.query<Role>(usedRoles + roleQuery(passwords, tied));
  const { memberships, settings } = await ofRoles(connection, roles);
  const tablespaces = await connection.query<{ name: string; location: string }>(
    "SELECT spcname AS name, pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1",
  );
  const facts: GlobalFacts = { roles, memberships, settings };
  const script = [
    `-- Roles of a PostgreSQL ${version.text} database. Creates those that are missing, and changes none that exist.`,
    ...tablespaces.map(
      ({ name, location }) =>
        `-- Tablespace: ${oneLine(`CREATE TABLESPACE ${quoteName(name)} LOCATION ${quoteText(location)};`)}`,
    ),
    createRoles(facts),
    '',
  ].join('\n');
  const withLogin = roles.filter(({ attributes }) => attributes.includes('LOGIN'));
  const problems: Problem[] = [];
  if (!passwords && withLogin.length > 0) {
    const message = `Passwords of ${countOf(withLogin.length, 'role')} are not in the backup: only a superuser may read them. Restored roles will have none.`;
    problems.push({ code: 'role-passwords-absent', message });
  }
  return { facts, script, problems };
}

/** The same of roles that are named. */
export async function globalsOf(connection: Connection, names: readonly string[]): Promise<GlobalFacts> {
  const query = roleQuery(await mayReadPasswords(connection), 'rolname = ANY($1)');
  const roles = await connection.query<Role>(query, [names]);
  return { roles, ...(await ofRoles(connection, roles)) };
}

async function mayReadPasswords(connection: Connection): Promise<boolean> {
  const [rights] = await connection.query<{ passwords: boolean }>(
    "SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT') AS passwords",
  );
  return rights?.passwords === true;
}

async function ofRoles(connection: Connection, roles: readonly Role[]): Promise<Omit<GlobalFacts, 'roles'>> {
  const names = roles.map(({ name }) => name);
  const memberships = await connection.query<Membership>(membershipQuery, [names]);
  const settings = await connection.query<GlobalFacts['settings'][number]>(settingQuery, [names]);
  return { memberships, settings };
}

/** One statement that creates the roles that are missing where it runs, and changes none that is there. */
export function createRoles({ roles, memberships, settings }: GlobalFacts): string {
  if (roles.length === 0) return '';
  const body = [
    ...roles.map(createRole),
    // Where either of the two is new: who made the roles by hand before is a member of what is his as he was.
    ...memberships.map((membership) => ifCreated([membership.member, membership.role], grantMembership(membership))),
    ...settings.map(({ role, name, value }) =>
      ifCreated([role], `ALTER ROLE ${quoteName(role)} SET ${setClause(name, value)};`),
    ),
  ].join('\n');
  return doBlock(`DECLARE created name[] := '{}';\nBEGIN\n${body}\nEND`);
}

const ofMasters = new Set(['SUPERUSER', 'REPLICATION']);

/** Whether a role's attribute, or its absence, is what a restore withholds. */
export function isOfMasters(attribute: string): boolean {
  return ofMasters.has(attribute.replace(/^NO/, ''));
}

/**
 * What new roles get without being asked for: nothing that makes them masters of the server. A backup may have been written by
 * somebody who would like that. @returns what they get, and the statements that give the rest
 */
export function withheld(
  facts: GlobalFacts,
  isMissing: (role: string) => boolean,
  /** Roles of this server that are masters of it. */
  supers: ReadonlySet<string>,
): { facts: GlobalFacts; statements: readonly string[] } {
  const statements: string[] = [];
  const roles = facts.roles.map((role) => {
    if (role.isBootstrap || !isMissing(role.name)) return role;
    const attributes: Role['attributes'] = role.attributes.filter((one) => !ofMasters.has(one));
    const missing = role.attributes.filter((one) => !attributes.includes(one));
    if (missing.length > 0) statements.push(`ALTER ROLE ${quoteName(role.name)} ${missing.join(' ')};`);
    return { ...role, attributes };
  });
  const memberships = facts.memberships.filter((membership) => {
    const isOfServer = /^pg_/.test(membership.role);
    const isOfMaster = facts.roles.some(
      ({ name, isBootstrap, attributes }) =>
        name === membership.role && (isBootstrap || attributes.includes('SUPERUSER')),
    );
    if (!isMissing(membership.member) || !(isOfServer || isOfMaster || supers.has(membership.role))) return true;
    statements.push(grantMembership(membership));
    return false;
  });
  return { facts: { ...facts, roles, memberships }, statements };
}

/** The bootstrap superuser is the target's own affair: if it must exist as an owner, it comes without login or password. */
function createRole(role: Role): string {
  const clauses = role.isBootstrap ? ['SUPERUSER', 'NOLOGIN'] : [...role.attributes];
  if (!role.isBootstrap) {
    clauses.push(`CONNECTION LIMIT ${role.connectionLimit}`);
    if (role.validUntil !== null) clauses.push(`VALID UNTIL ${quoteText(role.validUntil)}`);
    if (role.password !== null) clauses.push(`PASSWORD ${quoteText(role.password)}`);
  }
  const name = quoteName(role.name);
  const comment = role.comment === null ? '' : ` COMMENT ON ROLE ${name} IS ${quoteText(role.comment)};`;
  return `IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteText(role.name)}) THEN CREATE ROLE ${name} WITH ${clauses.join(' ')};${comment} created := created || ${quoteText(role.name)}::name; END IF;`;
}

function grantMembership({ role, member, admin, inherit, set }: Membership): string {
  const options =
    inherit === null || set === null
      ? admin
        ? ' WITH ADMIN OPTION'
        : ''
      : ` WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set}`;
  return `GRANT ${quoteName(role)} TO ${quoteName(member)}${options};`;
}

function ifCreated(roles: readonly string[], statement: string): string {
  return `IF created && ARRAY[${roles.map(quoteText).join(', ')}]::name[] THEN ${statement} END IF;`;
}

/** Settings whose value is a list of names: each must be quoted alone. PostgreSQL's dump tools have the same list. */
const listSettings = new Set([
  ...['local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries'],
  ...['temp_tablespaces', 'unix_socket_directories'],
]);

/** `name TO value`, for ALTER ROLE and ALTER DATABASE. The name may be an extension's: `app.tenant`. */
export function setClause(name: string, value: string): string {
  const left = name.split('.').map(quoteName).join('.');
  if (!listSettings.has(name.toLowerCase())) return `${left} TO ${quoteText(value)}`;
  const items = [...value.matchAll(/"((?:[^"]|"")*)"|[^\s,"][^,]*/g)].map(([bare, quoted]) =>
    quoted === undefined ? bare.trim() : quoted.replaceAll('""', '"'),
  );
  return `${left} TO ${items.length === 0 ? "''" : items.map(quoteText).join(', ')}`;
}

/** An anonymous block whatever its text holds. */
function doBlock(body: string): string {
  let mark = '$lifeboat$';
  for (let at = 0; body.includes(mark); at++) mark = `$lifeboat${at}$`;
  return `DO ${mark}\n${body}\n${mark};`;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, ' ');
}

const usedRoles = `
  WITH RECURSIVE this AS (SELECT oid, datdba, datacl FROM pg_database WHERE datname = current_database()),
  used AS (
    SELECT refobjid AS oid FROM pg_shdepend, this WHERE refclassid = 'pg_authid'::regclass
      AND (dbid = this.oid OR (classid = 'pg_database'::regclass AND objid = this.oid))
    UNION SELECT datdba FROM this
    UNION SELECT setrole FROM pg_db_role_setting, this WHERE setdatabase = this.oid
    UNION SELECT grantee FROM this, aclexplode(datacl)
    UNION SELECT 10 WHERE EXISTS (
      SELECT FROM (
        SELECT 'pg_class'::regclass AS classid, oid FROM pg_class WHERE relowner = 10 AND relkind <> 't'
        UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE proowner = 10
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typowner = 10
        UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspowner = 10 AND nspname !~ '^pg_'
      ) owned
      WHERE oid >= 16384
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = owned.classid AND objid = owned.oid AND deptype = 'e'))
  ),
  tied AS (
    SELECT oid FROM used
    UNION
    SELECT CASE WHEN m.member = tied.oid THEN m.roleid ELSE m.member END
    FROM tied JOIN pg_roles r ON r.oid = tied.oid
    JOIN pg_auth_members m ON m.member = tied.oid OR (m.roleid = tied.oid AND r.rolname !~ '^pg_')
  )`;

const roleQuery = (passwords: boolean, which: string) => `
  SELECT rolname AS name, r.oid = 10 AS "isBootstrap",
    ARRAY[CASE WHEN rolsuper THEN '' ELSE 'NO' END || 'SUPERUSER', CASE WHEN rolinherit THEN '' ELSE 'NO' END || 'INHERIT',
      CASE WHEN rolcreaterole THEN '' ELSE 'NO' END || 'CREATEROLE', CASE WHEN rolcreatedb THEN '' ELSE 'NO' END || 'CREATEDB',
      CASE WHEN rolcanlogin THEN '' ELSE 'NO' END || 'LOGIN', CASE WHEN rolreplication THEN '' ELSE 'NO' END || 'REPLICATION',
      CASE WHEN rolbypassrls THEN '' ELSE 'NO' END || 'BYPASSRLS'] AS attributes,
    rolconnlimit AS "connectionLimit", rolvaliduntil::text AS "validUntil",
    ${passwords ? 'rolpassword' : 'NULL'} AS password, shobj_description(r.oid, 'pg_authid') AS comment
  FROM ${passwords ? 'pg_authid' : 'pg_roles'} r WHERE ${which} ORDER BY rolname`;

const membershipQuery = `
  SELECT r.rolname AS role, m.rolname AS member, a.admin_option AS admin,
    (j->>'inherit_option')::boolean AS inherit, (j->>'set_option')::boolean AS "set"
  FROM pg_auth_members a JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member,
    LATERAL (SELECT to_jsonb(a) AS j) json
  WHERE m.rolname = ANY($1) ORDER BY 1, 2`;

const settingQuery = `
  SELECT rolname AS role, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
  FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) entry
  WHERE setdatabase = 0 AND rolname = ANY($1) ORDER BY 1, 2`;
