import { sentenceOf } from '../../core/errors.ts';
import type { Expandable } from '../../core/references.ts';
import type { Run } from '../../core/run.ts';
import type { Rehearsed, ToRehearse } from '../engine.ts';
import { grantsOf } from './accounts.ts';
import { connect } from './connection.ts';
import { type DatabaseFacts, databaseFacts } from './facts.ts';
import { showAccount } from './names.ts';
import { patternOf, startMariadb } from './sandbox-server.ts';
import { parseUrl } from './url.ts';

const firstPort = 3306;

/** Starts a server in the sandbox and restores into it. */
export async function rehearseMysql(url: Expandable, back: ToRehearse, run: Run): Promise<Rehearsed> {
  const { name, source, contents, sandbox } = back;
  const facts = databaseFacts.parse(contents.facts);
  const { database, serverVersion } = facts;
  const order = { name, version: serverVersion, port: firstPort + back.before, signal: run.signal };
  const server = await startMariadb(sandbox, order);
  const outside = server.outside(database);
  const restored = await source.restore(contents, { into: outside, force: false, only: [] }, run);
  const asked = server.outside(database, await server.makeReader(database));
  const role = await letApplicationIn(outside, await userOf(url, back), facts, run);
  const versions = { [`${name} mariadb`]: server.version };
  return { restored, outside, asked, inside: server.inside(database, role), role, door: server.door, versions };
}

/**
 * The account that the application has in production, with the rights that it has there: it comes in through the socket, without a
 * password. Where the backup knows of none that may write, it may do everything in its database.
 */
async function letApplicationIn(outside: string, user: string, facts: DatabaseFacts, run: Run): Promise<string> {
  const writing = (facts.accounts ?? []).filter(
    ({ host, grants }) =>
      host !== '' && grants.some(({ rights, of }) => of === '*' && /\b(ALL PRIVILEGES|INSERT)\b/.test(rights)),
  );
  const known = writing.find((one) => one.user === user) ?? writing[0];
  const here = { user: known?.user ?? 'application', host: 'localhost' };
  const grants = known === undefined ? [] : grantsOf({ ...known, ...here }, facts.database);
  const everything = `GRANT ALL ON ${patternOf(facts.database)}.* TO ${showAccount(here)}`;
  await using session = await connect(parseUrl(outside), { signal: run.signal });
  await session.run(`CREATE OR REPLACE USER ${showAccount(here)}`);
  for (const grant of known === undefined ? [everything] : grants) await session.run(grant);
  return here.user;
}

async function userOf(url: Expandable, { addSecret, note }: ToRehearse): Promise<string> {
  try {
    const { user, password } = parseUrl(await url.expand());
    if (password.length >= 4) addSecret(password);
    return user;
  } catch (error) {
    // Production's URL is not needed to restore: on a bare machine its variables are not set.
    note(`The account of the application is not known: ${sentenceOf(error)}`);
    return '';
  }
}
