import { z } from 'zod';
import type { Connection } from './connection.ts';
import { globalFacts } from './globals.ts';
import type { ServerVersion } from './tools.ts';

const privilege = z.object({
  /** Empty: everyone. */
  grantee: z.string(),
  privilege: z.enum(['CREATE', 'CONNECT', 'TEMPORARY', 'TEMP']),
  grantable: z.boolean(),
});

const setting = z.object({
  /** Empty: for everyone in this database. */
  role: z.string(),
  name: z.string(),
  value: z.string(),
});

/** What a restore must know of the database that is not in its dump, or before it reads the dump. */
export const databaseFacts = z.object({
  engine: z.literal('postgres'),
  database: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `libc`, `icu`, `builtin`. */
  localeProvider: z.enum(['libc', 'icu', 'builtin']),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  connectionLimit: z.int(),
  isTemplate: z.boolean(),
  tablespace: z.string(),
  comment: z.string().nullable(),
  /** Null: the rights that a new database has. */
  privileges: z.array(privilege).nullable(),
  settings: z.array(setting),
  extensions: z.array(z.object({ name: z.string(), version: z.string(), schema: z.string() })),
  /** What the server had loaded at its start, and what its configuration said to that. Absent: the role could not see it. */
  preloaded: z
    .object({ libraries: z.array(z.string()), settings: z.array(z.tuple([z.string(), z.string()])) })
    .optional(),
  /** Beside `pg_default`. */
  tablespaces: z.array(z.string()),
  /** Roles that it needs. */
  globals: globalFacts,
  serverVersion: z.string(),
  serverMajor: z.number(),
  dumpToolVersion: z.string(),
  dumpToolMajor: z.number(),
  /** The position in the log that the snapshot stands at: everything before it that was committed is in. */
  lsn: z.string(),
  systemIdentifier: z.string().nullable(),
  fromStandby: z.boolean(),
  notCompared: z.array(z.object({ table: z.string(), reason: z.string() })),
});

/** How the reason of a table begins whose rows the configuration leaves out. */
export const excludedReason = 'excluded: ';

export type DatabaseFacts = z.infer<typeof databaseFacts>;

export async function serverVersionOf(connection: Connection): Promise<ServerVersion> {
  const [row] = await connection.query<{ text: string; number: string }>(
    "SELECT current_setting('server_version') AS text, current_setting('server_version_num') AS number",
  );
  return { text: row?.text.split(' ')[0] ?? '', major: Math.floor(Number(row?.number) / 10_000) };
}

export async function encodingOf(connection: Connection): Promise<string> {
  const [row] = await connection.query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding");
  return row?.encoding ?? 'UTF8';
}

type Queried = Omit<
  DatabaseFacts,
  'globals' | 'serverVersion' | 'serverMajor' | 'dumpToolVersion' | 'dumpToolMajor' | 'notCompared'
>;

/** Asked in the capture's snapshot. */
export async function queryFacts(connection: Connection): Promise<Queried> {
  const [database] = await connection.query<Queried & { privileges: DatabaseFacts['privileges'] }>(databaseQuery);
  if (database === undefined) throw new Error('a session is always in a database');
  const settings = await connection.query<{ role: string; name: string; value: string }>(settingsQuery);
  const extensions = await connection.query<{ name: string; version: string; schema: string }>(
    `SELECT extname AS name, extversion AS version, nspname AS schema
     FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql' ORDER BY 1`,
  );
  const preloaded = await preloadedBy(connection);
  const tablespaces = await connection.query<{ name: string }>(
    `SELECT DISTINCT spcname AS name FROM pg_tablespace t
     WHERE spcname NOT IN ('pg_default', 'pg_global') AND (t.oid IN (SELECT reltablespace FROM pg_class)
       OR t.oid = (SELECT dattablespace FROM pg_database WHERE datname = current_database())) ORDER BY 1`,
  );
  const [identity] = await connection.query<{ allowed: boolean }>(
    "SELECT has_function_privilege('pg_control_system()', 'EXECUTE') AS allowed",
  );
  const [system] = identity?.allowed
    ? await connection.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()')
    : [];
  return {
    ...database,
    engine: 'postgres',
    settings,
    extensions,
    ...(preloaded && { preloaded }),
    tablespaces: tablespaces.map(({ name }) => name),
    systemIdentifier: system?.id ?? null,
  };
}

/** Some extensions can only be made where their library is loaded, and bound to the database that the configuration names. */
async function preloadedBy(connection: Connection): Promise<DatabaseFacts['preloaded']> {
  const rows = await connection.query<{ name: string; value: string }>(
    `SELECT name, setting AS value FROM pg_settings WHERE name = 'shared_preload_libraries'
       OR (name LIKE '%.%' AND source IN ('configuration file', 'command line', 'environment variable')) ORDER BY 1`,
  );
  const found = rows.find(({ name }) => name === 'shared_preload_libraries');
  if (found === undefined) return undefined;
  const libraries = found.value.split(',').map((one) => one.trim().replace(/^"(.*)"$/, '$1'));
  return {
    libraries: libraries.filter((one) => one !== ''),
    settings: rows.filter((row) => row !== found).map(({ name, value }) => [name, value]),
  };
}

// Columns that came or were renamed with a version are read through jsonb, where an absent one is null.
const databaseQuery = `
  SELECT datname AS database, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
    datcollate AS collate, datctype AS ctype,
    CASE j->>'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS "localeProvider",
    coalesce(j->>'datlocale', j->>'daticulocale') AS locale, j->>'daticurules' AS "icuRules",
    datconnlimit AS "connectionLimit", datistemplate AS "isTemplate", spcname AS tablespace,
    shobj_description(d.oid, 'pg_database') AS comment,
    (SELECT json_agg(json_build_object('grantee', CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END,
       'privilege', a.privilege_type, 'grantable', a.is_grantable)) FROM aclexplode(datacl) a) AS privileges,
    pg_is_in_recovery() AS "fromStandby",
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn
  FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace, LATERAL (SELECT to_jsonb(d) AS j) json
  WHERE datname = current_database()`;

const settingsQuery = `
  SELECT coalesce(rolname, '') AS role, split_part(entry, '=', 1) AS name, substr(entry, strpos(entry, '=') + 1) AS value
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) WITH ORDINALITY AS c (entry, at)
  WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (setrole = 0 OR rolname IS NOT NULL)
  ORDER BY 1, at`;
