import type { Session } from './connection.ts';
import { numberOf } from './connection.ts';
import { rightsMissing } from './errors.ts';
import { accountOf, grantOf, readingRights, showAccount } from './names.ts';

/** One line of SHOW GRANTS. */
export interface Grant {
  readonly rights: string;
  /** `*`, or a pattern for names of databases. */
  readonly database: string;
  /** `*`, or a table's or routine's name as SQL has it. */
  readonly of: string;
  readonly kind: string;
  /** What follows the account: `WITH GRANT OPTION`. */
  readonly options: string;
}

const name = '`(?:[^`]|``)+`';
const line = new RegExp(
  `^GRANT (?<rights>.+?) ON (?<kind>(?:PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE) )?(?<database>\\*|${name})\\.(?<of>\\*|${name}) TO (?:${name}(?:@${name})?|PUBLIC)(?<options>.*)$`,
  's',
);

/** Undefined where it gives no right but a role, or a proxy. */
export function parseGrant(text: string): Grant | undefined {
  const found = line.exec(text)?.groups;
  if (found === undefined) return undefined;
  const { rights = '', kind = '', database = '', of = '', options = '' } = found;
  const option = /WITH (?:GRANT OPTION|MAX_)/.test(options) && options.includes('GRANT OPTION');
  return { rights, kind, database: unquoted(database), of, options: option ? ' WITH GRANT OPTION' : '' };
}

export function unquoted(name: string): string {
  return name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name;
}

/** In grants `_` and `%` of a database's name stand for any, and a backslash takes that away. */
export function matchesDatabase(pattern: string, database: string): boolean {
  const parts = [...pattern.matchAll(/\\(.)|([_%])|([^\\_%]+|\\)/gsu)].map(([, plain, any, text]) => {
    if (any !== undefined) return any === '_' ? '.' : '.*';
    return RegExp.escape(plain ?? text ?? '');
  });
  return new RegExp(`^${parts.join('')}$`, 'su').test(database);
}

/** What the session's account may do in all of a database, and on the whole server. */
export async function rightsIn(
  session: Session,
  database: string,
): Promise<{ readonly all: boolean; readonly rights: ReadonlySet<string> }> {
  const rights = new Set<string>();
  for (const row of await session.ask('SHOW GRANTS')) {
    const grant = parseGrant(Object.values(row)[0] ?? '');
    if (grant === undefined || grant.of !== '*' || grant.kind !== '') continue;
    if (grant.database !== '*' && !matchesDatabase(grant.database, database)) continue;
    for (const right of grant.rights.split(', ')) rights.add(right);
  }
  return { all: rights.has('ALL PRIVILEGES'), rights };
}

/**
 * What an account may not see is not there for it, without a word: its triggers, events and routines would be in no backup.
 * @throws `mysql-rights-missing`
 */
export async function demandRights(session: Session, database: string): Promise<void> {
  const [row] = await session.ask('SELECT CURRENT_USER() u');
  const user = row?.u ?? '';
  const { all, rights } = await rightsIn(session, database);
  const missing = all ? [] : readingRights.filter((right) => !rights.has(right));
  if (missing.length > 0)
    throw rightsMissing({ user, database, what: missing.join(', '), grant: grantOf(user, database, missing) });
  if (await mayRead(session, 'mysql.proc')) return;
  const grant = `GRANT SELECT ON mysql.proc TO ${showAccount(accountOf(user))};`;
  throw rightsMissing({ user, database, what: 'SELECT on mysql.proc, where its routines are', grant });
}

export async function mayRead(session: Session, table: string): Promise<boolean> {
  try {
    await session.ask(`SELECT 1 FROM ${table} LIMIT 0`);
    return true;
  } catch (error) {
    if (![1044, 1142, 1143].includes(numberOf(error) ?? 0)) throw error;
    return false;
  }
}
