import { sentenceOf } from '../../core/errors.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { type Connection, quoteName, quoteText, sqlState } from './connection.ts';
import { localeMissing } from './errors.ts';
import type { DatabaseFacts } from './facts.ts';
import { setClause } from './globals.ts';
import { loaderPattern } from './loader.ts';
import { masterPattern } from './local-master.ts';
import type { ServerVersion } from './tools.ts';

/**
 * An empty database with encoding and locale of the captured one. Filled by a superuser it is theirs, and closed to all others:
 * its owner could put a trigger on a table that is being loaded. `applyProperties` gives it to its owner.
 */
export async function createDatabase(
  admin: Connection,
  name: string,
  facts: DatabaseFacts,
  { version, noTablespaces, closed }: { version: ServerVersion; noTablespaces: boolean; closed: boolean },
): Promise<void> {
  const clauses = [
    'TEMPLATE template0',
    closed ? 'CONNECTION LIMIT 0' : `OWNER ${quoteName(facts.owner)}`,
    `ENCODING ${quoteText(facts.encoding)}`,
    `LC_COLLATE ${quoteText(facts.collate)} LC_CTYPE ${quoteText(facts.ctype)}`,
  ];
  if (version.major >= 15) clauses.push(`LOCALE_PROVIDER ${facts.localeProvider}`);
  if (facts.locale !== null && facts.localeProvider === 'icu') clauses.push(`ICU_LOCALE ${quoteText(facts.locale)}`);
  if (facts.locale !== null && facts.localeProvider === 'builtin')
    clauses.push(`BUILTIN_LOCALE ${quoteText(facts.locale)}`);
  if (facts.icuRules !== null) clauses.push(`ICU_RULES ${quoteText(facts.icuRules)}`);
  if (facts.tablespace !== 'pg_default' && !noTablespaces) clauses.push(`TABLESPACE ${quoteName(facts.tablespace)}`);
  try {
    await admin.query(`CREATE DATABASE ${quoteName(name)} ${clauses.join(' ')}`);
  } catch (error) {
    if (!/locale|LC_COLLATE|LC_CTYPE/i.test(sentenceOf(error))) throw error;
    const locale = facts.localeProvider === 'libc' ? facts.collate : (facts.locale ?? facts.collate);
    throw localeMissing({ locale, why: sentenceOf(error) }, { cause: error });
  }
}

/** While it is filled nothing is lost if the server dies: the restore begins anew. `applyProperties` ends this. */
export async function relaxDatabase(admin: Connection, name: string): Promise<void> {
  await admin.query(`ALTER DATABASE ${quoteName(name)} SET synchronous_commit = off`);
}

export async function dropDatabase(admin: Connection, name: string, version: ServerVersion): Promise<void> {
  await admin.query(`DROP DATABASE IF EXISTS ${quoteName(name)}${version.major >= 13 ? ' WITH (FORCE)' : ''}`);
}

/**
 * What belongs to the database itself: pg_restore brings it only together with the database's old name. Done last, so that no
 * setting changes how the dump is read, and no connection limit keeps pg_restore out.
 */
export async function applyProperties(admin: Connection, name: string, facts: DatabaseFacts): Promise<void> {
  const database = quoteName(name);
  const settings = facts.settings.map(({ role, name: setting, value }) =>
    role === ''
      ? `ALTER DATABASE ${database} SET ${setClause(setting, value)}`
      : `ALTER ROLE ${quoteName(role)} IN DATABASE ${database} SET ${setClause(setting, value)}`,
  );
  const statements = [
    `ALTER DATABASE ${database} OWNER TO ${quoteName(facts.owner)}`,
    `ALTER DATABASE ${database} RESET ALL`,
    ...settings,
  ];
  if (facts.privileges === null) statements.push(`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO PUBLIC`);
  else {
    statements.push(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC, ${quoteName(facts.owner)}`);
    for (const { grantee, privilege, grantable } of facts.privileges) {
      const to = grantee === '' ? 'PUBLIC' : quoteName(grantee);
      statements.push(`GRANT ${privilege} ON DATABASE ${database} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`);
    }
  }
  if (facts.comment !== null) statements.push(`COMMENT ON DATABASE ${database} IS ${quoteText(facts.comment)}`);
  statements.push(`ALTER DATABASE ${database} CONNECTION LIMIT ${facts.connectionLimit}`);
  if (facts.isTemplate) statements.push(`ALTER DATABASE ${database} IS_TEMPLATE true`);
  for (const statement of statements) await admin.query(statement);
}

export interface Swap {
  readonly newDatabase: string;
  /** The name it gets. */
  readonly database: string;
  /** Whether that name is taken now. */
  readonly exists: boolean;
  /** By a database that can only be dropped. */
  readonly isTorn: boolean;
  readonly run: Run;
}

const leaveDeadlineMs = 15_000;

/** Gives the new database its name. What had the name is closed, renamed in the same transaction, and dropped last. */
export async function swapIn(
  admin: Connection,
  { newDatabase, database, exists, isTorn, run }: Swap,
): Promise<readonly Problem[]> {
  const rename = (from: string, to: string) => `ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(to)}`;
  if (isTorn) await admin.query(`DROP DATABASE ${quoteName(database)}`);
  if (!exists || isTorn) {
    await admin.query(rename(newDatabase, database));
    return [];
  }
  const old = await freeName(admin, database, `__lifeboat_old_${run.clock.now().toString(36)}`);
  await admin.query(`ALTER DATABASE ${quoteName(database)} ALLOW_CONNECTIONS false`);
  try {
    await sendAway(admin, database, run);
    await admin.query(`BEGIN; ${rename(database, old)}; ${rename(newDatabase, database)}; COMMIT`);
  } catch (error) {
    await admin.query('ROLLBACK');
    await admin.query(`ALTER DATABASE ${quoteName(database)} ALLOW_CONNECTIONS true`);
    throw error;
  }
  try {
    await admin.query(`DROP DATABASE ${quoteName(old)}`);
    return [];
  } catch (error) {
    // The restore itself is done.
    const message = `The replaced database is still there as ${old}, closed to connections: ${sentenceOf(error)}.`;
    return [{ code: 'replaced-database-left', message }];
  }
}

/** Ends all sessions in a database that takes no new ones. */
async function sendAway(admin: Connection, database: string, run: Run): Promise<void> {
  const deadline = run.clock.elapsed() + leaveDeadlineMs;
  for (;;) {
    const left = await admin.query(
      'SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
      [database],
    );
    if (left.length === 0) return;
    if (run.clock.elapsed() > deadline)
      throw new Error(`${countOf(left.length, 'session')} in ${database} did not end`);
    await admin.query('SELECT pg_sleep(0.05)');
  }
}

/** Tells a database from all others, on any server: a rename keeps it. Undefined when there is none, or the server does not tell. */
export async function markOf(admin: Connection, database: string): Promise<string | undefined> {
  try {
    const [found] = await admin.query<{ mark: string }>(
      "SELECT system_identifier || '/' || oid AS mark FROM pg_database, pg_control_system() WHERE datname = $1",
      [database],
    );
    return found?.mark;
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    return undefined;
  }
}

/** A database name that is not taken: `name` with `suffix`. */
export async function freeName(admin: Connection, name: string, suffix: string): Promise<string> {
  for (let at = 0; ; at++) {
    const free = withSuffix(name, at === 0 ? suffix : `${suffix}_${at}`);
    if ((await admin.query('SELECT FROM pg_database WHERE datname = $1', [free])).length === 0) return free;
  }
}

/**
 * What restores that were killed could not remove. Another restore may be using one right now, so that none is dropped: the
 * person who reads this knows.
 */
export async function leftovers(admin: Connection, database: string): Promise<readonly Problem[]> {
  const prefix = withSuffix(database, '__lifeboat_');
  const found = await admin.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE starts_with(datname::text, $1) ORDER BY 1',
    [prefix],
  );
  const loaders = await admin.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname ~ ANY($1) AND rolname <> session_user',
    [[loaderPattern, masterPattern]],
  );
  const left = (what: string, { name }: { readonly name: string }) => {
    const message = `${what} ${name} was left by a restore that did not end. If none is running: DROP ${what.toUpperCase()} ${quoteName(name)};`;
    return { code: 'restore-left-over', message };
  };
  return [...found.map((one) => left('Database', one)), ...loaders.map((one) => left('Role', one))];
}

/** PostgreSQL cuts names after 63 bytes. */
function withSuffix(name: string, suffix: string): string {
  let kept = name;
  while (Buffer.byteLength(kept + suffix) > 63) kept = [...kept].slice(0, -1).join('');
  return kept + suffix;
}
