import { sentenceOf } from '../../core/errors.ts';
import { notMadeAgain } from '../../core/not-as-it-was.ts';
import type { Problem } from '../../core/run.ts';
import { type AccountFacts, createAccount, factsOf, grantsOf, hasAccount } from './accounts.ts';
import type { Session } from './connection.ts';
import { type Account, accountOf, literal, showAccount } from './names.ts';

/**
 * Makes the accounts and roles that the server lacks, and gives those their rights on the database. An account that is there stays as it is:
 * its password and its rights are the server's matter. `again`: one that a restore which was killed had only begun with is gone on with.
 */
export async function giveAccounts(
  admin: Session,
  accounts: readonly AccountFacts[],
  database: string,
  { again }: { readonly again: boolean },
): Promise<Problem[]> {
  const problems: Problem[] = [];
  const refuse = (account: Account, error: unknown) => {
    const message = `Account ${showAccount(account)} did not come back as it was: ${sentenceOf(error)}.`;
    problems.push({ code: notMadeAgain, message });
  };
  const missing: AccountFacts[] = [];
  for (const account of accounts) {
    if ((await hasAccount(admin, account)) && !(again && (await isBegun(admin, account, database)))) continue;
    try {
      await admin.run(createAccount(account));
      missing.push(account);
    } catch (error) {
      refuse(account, error);
    }
  }
  for (const account of missing) {
    for (const grant of grantsOf(account, database))
      await admin.run(grant).catch((error: unknown) => refuse(account, error));
  }
  const withheld = missing.filter(({ global }) => global.length > 0);
  if (withheld.length > 0) {
    const grants = withheld.flatMap((one) => one.global.map((rights) => grantGlobal(one, rights)));
    const message = `New accounts came back without the rights that they had on the whole server. Give them only if they are right: ${grants.join(' ')}`;
    problems.push({ code: 'account-rights-withheld', message });
  }
  return problems;
}

/** Made as it was, and with no right on the database that it had not. */
async function isBegun(admin: Session, account: AccountFacts, database: string): Promise<boolean> {
  const has = await factsOf(admin, database, account);
  const recorded = new Set(grantsOf(account, database));
  return has.how === account.how && grantsOf(has, database).every((grant) => recorded.has(grant));
}

function grantGlobal(account: Account, rights: string): string {
  const [what, option] = rights.split(' WITH ');
  return `GRANT ${what} ON *.* TO ${showAccount(account)}${option === undefined ? '' : ` WITH ${option}`};`;
}

/** Whom definitions run as, and the server does not know: they are there, and fail when they are used (my24). */
export async function missingDefiners(admin: Session, database: string): Promise<Problem[]> {
  const which = literal(database);
  const found = await admin.ask(
    `SELECT DISTINCT d FROM (SELECT DEFINER d FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ${which} AND SECURITY_TYPE = 'DEFINER'
      UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${which} AND SECURITY_TYPE = 'DEFINER'
      UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${which}
      UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${which}) named ORDER BY 1`,
  );
  const gone: Account[] = [];
  for (const { d } of found) {
    const definer = accountOf(d ?? '');
    if (!(await hasAccount(admin, definer))) gone.push(definer);
  }
  if (gone.length === 0) return [];
  const message = `Definitions of ${database} run as ${gone.map(showAccount).join(', ')}, whom this server does not have: they fail when they are used.`;
  return [{ code: 'mysql-definer-missing', message }];
}
