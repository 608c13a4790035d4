import type { Problem, Run } from '../../core/run.ts';
import type { Inspection } from '../source.ts';
import { connectReading } from './capture.ts';
import type { Session } from './connection.ts';
import { versionOf } from './facts.ts';
import { accountOf, literal, quoted, showAccount } from './names.ts';
import { demandRights, mayRead, rightsIn } from './rights.ts';
import { isLocal, type ServerAddress, verifiesServer } from './url.ts';

/** Finds out before the dump what would end it, or be missing in it, and says what to do about it. */
export async function inspectMysql(address: ServerAddress, run: Run): Promise<Inspection> {
  await using session = await connectReading(address, run.signal);
  const server = await versionOf(session, address);
  const { database } = address;
  await demandRights(session, database);
  const [size] = await session.ask(
    `SELECT SUM(DATA_LENGTH) s FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(database)}`,
  );
  return {
    versions: { server },
    ...(size?.s != null && { sizeBytes: Number(size.s) }),
    problems: [...ignored(address), ...unverified(address), ...(await lesserRights(session, database))],
  };
}

/** As in MariaDB's own client, the default tries TLS and looks at nobody's certificate. */
function unverified(address: ServerAddress): Problem[] {
  if (isLocal(address) || verifiesServer(address)) return [];
  const mode = address.tls.mode.toUpperCase();
  const danger =
    address.tls.mode === 'required'
      ? 'nothing shows that it is the right server'
      : 'the connection may be neither encrypted nor to the right server';
  const message = `With ssl-mode=${mode}, ${danger}: whoever is on the way to ${address.host} can take the data. Write ?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE in its URL, with the server's CA certificate.`;
  return [{ code: 'server-unverified', message }];
}

function ignored({ ignored: names }: ServerAddress): Problem[] {
  if (names.length === 0) return [];
  const message = `Of its URL ${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} for the application alone: a backup does without.`;
  return [{ code: 'url-settings-ignored', message }];
}

/** A backup goes without these, and is less. */
async function lesserRights(session: Session, database: string): Promise<Problem[]> {
  const [row] = await session.ask('SELECT CURRENT_USER() u');
  const who = showAccount(accountOf(row?.u ?? ''));
  const { all, rights } = await rightsIn(session, database);
  const problems: Problem[] = [];
  if (!all && !rights.has('RELOAD')) {
    const message = `Without RELOAD a backup cannot hold definitions while it reads: it fails when somebody changes one. As an administrator: GRANT RELOAD ON *.* TO ${who};`;
    problems.push({ code: 'mysql-definitions-not-held', message });
  }
  if (!(await mayRead(session, 'mysql.user'))) {
    const message = `Accounts and their rights on ${quoted(database)} are in no backup, for this one may not see them. As an administrator: GRANT SELECT ON mysql.* TO ${who};`;
    problems.push({ code: 'mysql-accounts-not-read', message });
  }
  return problems;
}
