import { z } from 'zod';
import type { Session } from './connection.ts';
import { type Account, accountOf, literal, quoted, showAccount } from './names.ts';
import type { Objects } from './objects.ts';
import { type Grant, matchesDatabase, mayRead, parseGrant } from './rights.ts';

/** Who may come into a database, whom its definitions name, and the roles that they have. */
export const accountFacts = z.object({
  user: z.string(),
  host: z.string(),
  /** All that CREATE USER says after the name: its password as a hash. Empty for roles. */
  how: z.string(),
  /** On this database and what is in it. */
  grants: z.array(z.object({ rights: z.string(), kind: z.string(), of: z.string(), options: z.string() })),
  /** On the whole server: a restore gives none of them. */
  global: z.array(z.string()),
  /** Roles that it has. */
  roles: z.array(z.object({ role: z.string(), admin: z.boolean() })),
  defaultRole: z.string().nullable(),
});

export type AccountFacts = z.infer<typeof accountFacts>;

/** Those that come with every server. */
const ofTheServer = new Set(['root', 'mariadb.sys', 'mysql', 'PUBLIC', '']);

/** Undefined where the session may not see the server's accounts. */
export async function accountsOf(
  session: Session,
  database: string,
  objects: Objects,
): Promise<AccountFacts[] | undefined> {
  for (const table of ['mysql.user', 'mysql.db', 'mysql.tables_priv', 'mysql.procs_priv', 'mysql.roles_mapping'])
    if (!(await mayRead(session, table))) return undefined;
  const known = await session.ask('SELECT User u, Host h, is_role r FROM mysql.user ORDER BY 1, 2');
  const keyOf = ({ user, host }: Account) => `${user}\0${host}`;
  const there = new Map(
    known.map(({ u, h, r }) => {
      const account = { user: u ?? '', host: r === 'Y' ? '' : (h ?? '') };
      return [keyOf(account), account] as const;
    }),
  );
  const named = await session.ask(
    `SELECT User u, Host h, Db d FROM mysql.db UNION SELECT User, Host, Db FROM mysql.tables_priv UNION SELECT User, Host, Db FROM mysql.procs_priv ORDER BY 1, 2, 3`,
  );
  const [self] = await session.ask('SELECT CURRENT_USER() u');
  const wanted: Account[] = [
    ...named
      .filter(({ d }) => matchesDatabase(d ?? '', database))
      .map(({ u, h }) => ({ user: u ?? '', host: h ?? '' })),
    ...definersOf(objects),
    accountOf(self?.u ?? ''),
  ];
  const found = new Map<string, AccountFacts>();
  for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
    const account = there.get(keyOf(next));
    if (account === undefined || found.has(keyOf(account)) || ofTheServer.has(account.user)) continue;
    const facts = await factsOf(session, database, account);
    wanted.push(...facts.roles.map(({ role }) => ({ user: role, host: '' })));
    found.set(keyOf(account), facts);
  }
  return [...found.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Of one account, as it is now. */
export async function factsOf(session: Session, database: string, { user, host }: Account): Promise<AccountFacts> {
  const account = { user, host };
  const who = showAccount(account);
  const mapped = await session.ask(
    `SELECT Role r, Admin_option a FROM mysql.roles_mapping WHERE User = ${literal(user)} AND Host = ${literal(host)} ORDER BY 1`,
  );
  const roles = mapped.map(({ r, a }) => ({ role: r ?? '', admin: a === 'Y' }));
  const grants: Grant[] = [];
  let defaultRole: string | null = null;
  for (const row of await session.ask(`SHOW GRANTS FOR ${who}`)) {
    const text = Object.values(row)[0] ?? '';
    const grant = parseGrant(text);
    // A role's grants are shown with those of its own roles; each is told where it belongs.
    if (grant !== undefined && text.includes(` TO ${who}`)) grants.push(grant);
    defaultRole ??= /^SET DEFAULT ROLE `((?:[^`]|``)+)` FOR/.exec(text)?.[1]?.replaceAll('``', '`') ?? null;
  }
  const [made] = account.host === '' ? [] : await session.ask(`SHOW CREATE USER ${who}`);
  return {
    ...account,
    how: (Object.values(made ?? {})[0] ?? '').replace(/^CREATE USER `(?:[^`]|``)*`@`(?:[^`]|``)*`/, ''),
    grants: grants
      .filter((one) => one.database !== '*' && matchesDatabase(one.database, database))
      .map(({ rights, kind, of, options }) => ({ rights, kind, of, options })),
    global: grants
      .filter((one) => one.database === '*' && one.rights !== 'USAGE')
      .map(({ rights, options }) => rights + options),
    ...{ roles, defaultRole },
  };
}

/** Those whom definitions name, under whose rights they run. */
export function definersOf({ routines, views, triggers, events }: Objects): Account[] {
  return [...routines, ...views, ...triggers, ...events].flatMap(({ create }) => {
    const [, user, host] = /^CREATE\b[^`]*?\bDEFINER=`((?:[^`]|``)*)`(?:@`((?:[^`]|``)*)`)?/.exec(create) ?? [];
    return user === undefined ? [] : [{ user: user.replaceAll('``', '`'), host: (host ?? '').replaceAll('``', '`') }];
  });
}

/** What makes an account, where it is not there. */
export function createAccount(account: AccountFacts): string {
  const who = showAccount(account);
  return account.host === '' ? `CREATE ROLE IF NOT EXISTS ${who}` : `CREATE USER IF NOT EXISTS ${who}${account.how}`;
}

/** What gives it its rights on a database, once everything is in it; none on the whole server. */
export function grantsOf(account: AccountFacts, database: string): string[] {
  const who = showAccount(account);
  return [
    ...account.grants.map(
      // `_` would stand for any letter.
      ({ rights, kind, of, options }) =>
        `GRANT ${rights} ON ${kind}${quoted(of === '*' ? database.replace(/[_%\\]/g, '\\$&') : database)}.${of} TO ${who}${options}`,
    ),
    ...account.roles.map(({ role, admin }) => `GRANT ${quoted(role)} TO ${who}${admin ? ' WITH ADMIN OPTION' : ''}`),
    ...(account.defaultRole === null ? [] : [`SET DEFAULT ROLE ${quoted(account.defaultRole)} FOR ${who}`]),
  ];
}

/** Whether the server has it. */
export async function hasAccount(session: Session, { user, host }: Account): Promise<boolean> {
  const which = host === '' ? "is_role = 'Y'" : `Host = ${literal(host)}`;
  return (await session.ask(`SELECT 1 FROM mysql.user WHERE User = ${literal(user)} AND ${which}`)).length > 0;
}
