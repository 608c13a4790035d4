import { quoteText } from './connection.ts';
import { ownTables } from './sabotage-rows.ts';
import type { Way } from './sabotage-way.ts';

interface OfTable {
  /** Joined to the table, `c`. */
  readonly join?: string;
  readonly condition?: string;
  /** What is hurt: a column of the joined. */
  readonly of: string;
  /** What it is known by; `of` when absent. */
  readonly name?: string;
  /** As PostgreSQL's `format` takes it: the table, `of`, and `more`. */
  readonly strike: string;
  readonly more?: string;
}

function tableWay(name: string, absent: string, { join, condition, of, name: known = of, strike, more }: OfTable): Way {
  const words = [quoteText(strike), 'c.oid::regclass', of, ...(more === undefined ? [] : [more])].join(', ');
  const find = `SELECT ${known}::text AS name, format('%s.%s: %s', nspname, relname, ${of}) AS what, format(${words}) AS strike
    ${ownTables(join, condition)}`;
  return { name, harm: 'definition', absent, find };
}

const columns = (condition: string) =>
  `JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attinhcount = 0 AND ${condition}`;

function columnWay(name: string, absent: string, condition: string, change: string): Way {
  return tableWay(name, absent, { join: columns(condition), of: 'attname', strike: `ALTER TABLE %1$s ${change}` });
}

function constraintWay(name: string, kind: string, type: string): Way {
  const join = `JOIN pg_constraint k ON conrelid = c.oid AND contype = '${type}' AND coninhcount = 0`;
  return tableWay(name, `it has no ${kind}`, {
    join,
    of: 'conname',
    strike: 'ALTER TABLE %1$s DROP CONSTRAINT %2$I CASCADE',
  });
}

const triggers = "JOIN pg_trigger g ON tgrelid = c.oid AND NOT tgisinternal AND tgenabled <> 'D'";
const policies = 'JOIN pg_policy p ON polrelid = c.oid';
const granted = 'JOIN LATERAL (SELECT grantee FROM aclexplode(relacl) WHERE grantee <> relowner LIMIT 1) g ON true';
const grantee = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END";

const ofTables: readonly Way[] = [
  columnWay('a column is lost', 'it has no table', 'true', 'DROP COLUMN %2$I CASCADE'),
  columnWay('a column has another name', 'it has no table', 'true', 'RENAME COLUMN %2$I TO named_by_nobody'),
  columnWay(
    'a column is of another type',
    'it has no column of int or varchar',
    'atttypid IN (23, 1043)',
    'ALTER COLUMN %2$I TYPE text',
  ),
  columnWay(
    'a column may be NULL',
    'it has no column that may not be NULL',
    'attnotnull',
    'ALTER COLUMN %2$I DROP NOT NULL',
  ),
  columnWay(
    'a default is lost',
    'it has no default',
    "atthasdef AND attgenerated = ''",
    'ALTER COLUMN %2$I DROP DEFAULT',
  ),
  columnWay(
    'a default is another',
    'it has no default',
    "atthasdef AND attgenerated = ''",
    'ALTER COLUMN %2$I SET DEFAULT NULL',
  ),
  tableWay('a column no longer counts by itself', 'it has no identity column', {
    join: `${columns("attidentity <> ''")} JOIN LATERAL (SELECT q.relname AS counter FROM pg_depend d JOIN pg_class q ON q.oid = objid
      WHERE refobjid = c.oid AND refobjsubid = attnum AND deptype = 'i' AND classid = 'pg_class'::regclass) q ON true`,
    ...{ of: 'attname', name: 'counter', strike: 'ALTER TABLE %1$s ALTER COLUMN %2$I DROP IDENTITY' },
  }),
  constraintWay('a primary key is lost', 'primary key', 'p'),
  constraintWay('a unique constraint is lost', 'unique constraint', 'u'),
  constraintWay('a check is lost', 'check', 'c'),
  constraintWay('a foreign key is lost', 'foreign key', 'f'),
  constraintWay('an exclusion is lost', 'exclusion constraint', 'x'),
  tableWay('a trigger is lost', 'it has no trigger', {
    join: triggers,
    of: 'tgname',
    strike: 'DROP TRIGGER %2$I ON %1$s',
  }),
  tableWay('a trigger is switched off', 'it has no trigger', {
    join: triggers,
    of: 'tgname',
    strike: 'ALTER TABLE %1$s DISABLE TRIGGER %2$I',
  }),
  tableWay('a policy is lost', 'it has no policy', {
    join: policies,
    of: 'polname',
    strike: 'DROP POLICY %2$I ON %1$s',
  }),
  tableWay('a policy lets everything through', 'it has no policy with a condition', {
    ...{ join: policies, of: 'polname', condition: 'polqual IS NOT NULL' },
    strike: 'ALTER POLICY %2$I ON %1$s USING (true)',
  }),
  tableWay('row security is off', 'it has no table with row security', {
    ...{ of: 'relname', condition: 'relrowsecurity', strike: 'ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY' },
  }),
  tableWay('a table belongs to another role', 'there is no other role', {
    ...{ join: "JOIN pg_roles r ON r.oid <> relowner AND rolname !~ '^(pg_|lifeboat_)'", of: 'relname' },
    ...{ strike: 'ALTER TABLE %1$s OWNER TO %3$I', more: 'rolname' },
  }),
  tableWay('a right is lost', 'nobody but its owner has a right on a table', {
    ...{ join: granted, of: 'relname', strike: 'REVOKE ALL ON %1$s FROM %3$s CASCADE', more: grantee },
  }),
  tableWay('everybody may do everything', 'it has no table', { of: 'relname', strike: 'GRANT ALL ON %1$s TO PUBLIC' }),
  tableWay('a partition is not attached', 'it has no partition', {
    ...{ join: 'JOIN pg_inherits i ON inhrelid = c.oid AND relispartition', of: 'relname' },
    ...{ strike: 'ALTER TABLE %3$s DETACH PARTITION %1$s', more: 'inhparent::regclass' },
  }),
  tableWay('a comment is lost', 'it has no table with a comment', {
    join: "JOIN pg_description d ON objoid = c.oid AND classoid = 'pg_class'::regclass AND objsubid = 0",
    ...{ of: 'relname', strike: 'COMMENT ON TABLE %1$s IS NULL' },
  }),
];

/** Rows of `name`, `what`, `strike` over objects that are nobody's part. */
function objectWay(name: string, absent: string, catalog: string, select: string, from: string): Way {
  const find = `SELECT ${select} FROM pg_${catalog} o ${from} AND o.oid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_${catalog}'::regclass AND objid = o.oid AND deptype IN ('e', 'i')) ORDER BY o.oid`;
  return { name, harm: 'definition', absent, find };
}

const index = "relname AS name, format('%s.%s', nspname, relname) AS what";
const plainIndex = `JOIN pg_index ON indexrelid = o.oid JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('i', 'I') AND nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = o.oid)`;
const view = `${index}, format`;
const views = "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'v' AND nspname <> 'information_schema'";
const routine = 'proname AS name, o.oid::regprocedure::text AS what, format';
const routines = "WHERE prokind IN ('f', 'p')";
const type = 'typname AS name, o.oid::regtype::text AS what, format';

const ofObjects: readonly Way[] = [
  objectWay(
    'an index is lost',
    'it has no index but those of keys',
    'class',
    `${index}, format('DROP INDEX %s CASCADE', o.oid::regclass) AS strike`,
    plainIndex,
  ),
  objectWay(
    'a unique index is no longer unique',
    'it has no unique index but those of keys',
    'class',
    `${index}, format('DROP INDEX %s; %s', o.oid::regclass, replace(pg_get_indexdef(o.oid), 'CREATE UNIQUE INDEX', 'CREATE INDEX')) AS strike`,
    `${plainIndex} AND indisunique`,
  ),
  objectWay(
    'a view is lost',
    'it has no view',
    'class',
    `${view}('DROP VIEW %s CASCADE', o.oid::regclass) AS strike`,
    views,
  ),
  objectWay(
    'a view shows nothing',
    'it has no view',
    'class',
    `${view}('CREATE OR REPLACE VIEW %s AS SELECT * FROM (%s) was LIMIT 0', o.oid::regclass, rtrim(pg_get_viewdef(o.oid), ';')) AS strike`,
    views,
  ),
  objectWay(
    'a function is lost',
    'it has no function',
    'proc',
    `${routine}('DROP ROUTINE %s CASCADE', o.oid::regprocedure) AS strike`,
    routines,
  ),
  objectWay(
    'a function does something else',
    'it has no function with a text',
    'proc',
    `${routine}('UPDATE pg_proc SET prosrc = prosrc || '' '' WHERE oid = %s', o.oid) AS strike`,
    `${routines} AND prosrc <> '' AND prolang IN (SELECT oid FROM pg_language WHERE lanname IN ('sql', 'plpgsql'))`,
  ),
  objectWay(
    "a function runs with its owner's rights",
    'it has no function',
    'proc',
    `${routine}('ALTER ROUTINE %s SECURITY DEFINER', o.oid::regprocedure) AS strike`,
    `${routines} AND NOT prosecdef`,
  ),
  objectWay(
    'an enumeration has one more value',
    'it has no enumeration',
    'type',
    `${type}('ALTER TYPE %s ADD VALUE ''meant by nobody''', o.oid::regtype) AS strike`,
    "WHERE typtype = 'e'",
  ),
  objectWay(
    "a domain's check is lost",
    'it has no domain with a check',
    'type',
    `${type}('ALTER DOMAIN %s DROP CONSTRAINT %I', o.oid::regtype, conname) AS strike`,
    "JOIN pg_constraint k ON contypid = o.oid AND contype = 'c' WHERE typtype = 'd'",
  ),
  objectWay(
    'a sequence counts by other steps',
    'it has no sequence',
    'class',
    `${index}, format('ALTER SEQUENCE %s INCREMENT 7', o.oid::regclass) AS strike`,
    "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'S'",
  ),
  objectWay(
    'a schema is lost',
    'it has no schema but public',
    'namespace',
    "nspname AS name, nspname AS what, format('DROP SCHEMA %I CASCADE', nspname) AS strike",
    "WHERE nspname !~ '^pg_'",
  ),
  objectWay(
    'an extension is lost',
    'it has no extension',
    'extension',
    "extname AS name, extname AS what, format('DROP EXTENSION %I CASCADE', extname) AS strike",
    "WHERE extname <> 'plpgsql'",
  ),
  objectWay(
    'a publication is lost',
    'it has no publication',
    'publication',
    "pubname AS name, pubname AS what, format('DROP PUBLICATION %I', pubname) AS strike",
    'WHERE true',
  ),
  objectWay(
    'an event trigger is switched off',
    'it has no event trigger',
    'event_trigger',
    "evtname AS name, evtname AS what, format('ALTER EVENT TRIGGER %I DISABLE', evtname) AS strike",
    "WHERE evtenabled <> 'D'",
  ),
];

const here = 'setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())';
const setting = "split_part(entry, '=', 1)";
const appRoles = "FROM pg_roles r WHERE oid >= 16384 AND rolname !~ '^(pg_|lifeboat_)'";

function aroundWay(name: string, absent: string, find: string): Way {
  return { name, harm: 'definition', absent, find };
}

/** What is not in the database itself. Roles are the server's: what is done to them is undone. */
const around: readonly Way[] = [
  aroundWay(
    'a setting of the database is lost',
    'it has no setting',
    `SELECT ${setting} AS name, format('ALTER DATABASE %%database%% RESET %s', ${setting}) AS strike FROM pg_db_role_setting, unnest(setconfig) entry WHERE ${here} AND setrole = 0`,
  ),
  aroundWay(
    'a setting of a role in the database is lost',
    'no role has a setting in it',
    `SELECT ${setting} AS name, format('ALTER ROLE %I IN DATABASE %%database%% RESET %s', rolname, ${setting}) AS strike
     FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) entry WHERE ${here}`,
  ),
  aroundWay(
    'the database belongs to another role',
    'there is no other role',
    "SELECT 'owner' AS name, format('ALTER DATABASE %%database%% OWNER TO %I', rolname) AS strike FROM pg_roles WHERE rolname !~ '^(pg_|lifeboat_)' AND oid <> (SELECT datdba FROM pg_database WHERE datname = current_database())",
  ),
  aroundWay(
    'everybody may make schemas in the database',
    'it has no rights',
    "SELECT 'list of who may do what' AS name, 'the database' AS what, 'GRANT CREATE ON DATABASE %database% TO PUBLIC' AS strike",
  ),
  aroundWay(
    'a role may not log in',
    'no role of it may log in',
    `SELECT rolname AS name, format('ALTER ROLE %I NOLOGIN', rolname) AS strike, format('ALTER ROLE %I LOGIN', rolname) AS undo ${appRoles} AND rolcanlogin`,
  ),
  aroundWay(
    'a role sees through row security',
    'it has no role but the superuser',
    `SELECT rolname AS name, format('ALTER ROLE %I BYPASSRLS', rolname) AS strike, format('ALTER ROLE %I NOBYPASSRLS', rolname) AS undo ${appRoles} AND NOT rolbypassrls AND NOT rolsuper`,
  ),
];

export const definitionWays: readonly Way[] = [...ofTables, ...ofObjects, ...around];
