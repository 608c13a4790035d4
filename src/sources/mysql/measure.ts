import type { Expectations, TableExpectation } from '../../core/expectations.ts';
import type { Run } from '../../core/run.ts';
import type { Contents, Measurement } from '../source.ts';
import { type AccountFacts, accountsOf, grantsOf, hasAccount } from './accounts.ts';
import { algorithm, connectReading, readTable, sequenceExpectation } from './capture.ts';
import type { Session } from './connection.ts';
import { compareDefinitions, definitionsOf } from './definitions.ts';
import { charsetOf, type DatabaseFacts, databaseFacts, versionOf } from './facts.ts';
import { quoted, showAccount, showName } from './names.ts';
import { listObjects, type Objects } from './objects.ts';
import type { ServerAddress } from './url.ts';

type Integrity = Measurement['integrity'][number];

/** What a backup would record of it now, and what the server says of its tables; with the restore point at hand all definitions and accounts too. */
export async function measureMysql(address: ServerAddress, run: Run, recorded?: Contents): Promise<Measurement> {
  await using session = await connectReading(address, run.signal);
  const version = await versionOf(session, address);
  const objects = await listObjects(session, address.database);
  const actual = await measureRows(session, objects, run);
  const integrity = [await checkTables(session, objects, run)];
  if (recorded === undefined) return { actual, integrity };
  const facts = databaseFacts.parse(recorded.facts);
  const left = new Set(facts.notCompared.map(({ table }) => table));
  const was = { definitions: facts.definitions, version: facts.serverVersion };
  const definitions = compareDefinitions(was, { definitions: definitionsOf(objects), version }, left);
  return {
    actual,
    integrity: [...integrity, definitions, await compareSurroundings(session, address, facts, objects)],
  };
}

export async function measureRows(session: Session, objects: Objects, run: Run): Promise<Expectations> {
  const tables: TableExpectation[] = objects.sequences.map(sequenceExpectation);
  for (const [at, table] of objects.tables.entries()) {
    run.progress({ label: 'rows read back', doneItems: at, totalItems: objects.tables.length });
    const { inserts, expectation } = readTable(session, table, '');
    for await (const _ of inserts);
    tables.push(await expectation());
  }
  return { algorithm, tables };
}

async function checkTables(session: Session, { tables }: Objects, run: Run): Promise<Integrity> {
  const damaged: string[] = [];
  for (const [at, { name }] of tables.entries()) {
    run.progress({ label: 'CHECK TABLE', doneItems: at, totalItems: tables.length });
    const said = await session.ask(`CHECK TABLE ${quoted(name)}`);
    const bad = said.find(
      ({ Msg_type, Msg_text }) => Msg_type === 'error' || (Msg_type === 'status' && Msg_text !== 'OK'),
    );
    // An engine that keeps rows in memory alone has nothing to check.
    if (bad !== undefined && !/doesn't support check/.test(bad.Msg_text ?? ''))
      damaged.push(`${showName(name)}: ${bad.Msg_text}`);
  }
  const ok = damaged.length === 0;
  const detail = ok ? `CHECK TABLE finds ${tables.length} sound` : damaged.slice(0, 5).join('; ');
  return { name: 'integrity', ok, looked: tables.length, detail };
}

/** What a restore brings back besides rows and definitions: how texts are sorted by default, and who may come in. */
async function compareSurroundings(
  session: Session,
  { database }: ServerAddress,
  recorded: DatabaseFacts,
  objects: Objects,
): Promise<Integrity> {
  const charset = await charsetOf(session, database);
  const others = (['charset', 'collation', 'comment'] as const).filter((what) => charset?.[what] !== recorded[what]);
  const differences = others.map((what) => `the database has another ${what === 'charset' ? 'character set' : what}`);
  const wanted = recorded.accounts ?? [];
  const found = (await accountsOf(session, database, objects)) ?? [];
  for (const account of wanted) {
    const who = showAccount(account);
    if (!(await hasAccount(session, account))) differences.push(`account ${who} is missing`);
    else {
      const have = found.find(({ user, host }) => user === account.user && host === account.host);
      const lost = lacking(account, have, database);
      if (lost.length > 0) differences.push(`account ${who} has other rights`);
    }
  }
  const detail = differences.length === 0 ? 'as recorded' : differences.slice(0, 5).join('; ');
  return { name: 'roles and settings', ok: differences.length === 0, looked: 1 + wanted.length, detail };
}

/** Rights that one of both has and the other has not. */
function lacking(was: AccountFacts, is: AccountFacts | undefined, database: string): string[] {
  const [a, b] = [was, is].map((one) => (one === undefined ? [] : grantsOf(one, database)));
  return [...a!.filter((grant) => !b!.includes(grant)), ...b!.filter((grant) => !a!.includes(grant))];
}
