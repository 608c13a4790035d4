import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { Problem, Run } from '../../core/run.ts';
import { targetNotEmpty } from '../errors.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import { tableFile } from './capture.ts';
import { connect, type Session } from './connection.ts';
import { freeName, hasMark, leftovers, markOf, type State, stateOf, suffixOf } from './databases.ts';
import { restoreRefused, tableUnknown } from './errors.ts';
import { charsetClause, type DatabaseFacts, databaseFacts, versionOf } from './facts.ts';
import { giveAccounts, missingDefiners } from './give-accounts.ts';
import { loadDefinitions, loadTables } from './load.ts';
import { measureRows } from './measure.ts';
import { literal, quoted, showName } from './names.ts';
import { listObjects } from './objects.ts';
import { openTarget } from './open-target.ts';
import { drawFromOwn, place } from './place.ts';
import { parseUrl, type ServerAddress, showAddress, withDatabase } from './url.ts';

/** One restore: where to, from what. */
interface Restoring {
  readonly address: ServerAddress;
  /** A session in no database. */
  readonly admin: Session;
  readonly facts: DatabaseFacts;
  readonly contents: Contents;
  readonly run: Run;
}

/**
 * Fills a new database beside the target, compares it with what was recorded, and gives its tables to the target at the very end, so that
 * whatever fails before leaves the target as it was.
 */
export async function restoreMysql(
  home: ServerAddress,
  contents: Contents,
  target: RestoreTarget,
  run: Run,
): Promise<Restored> {
  const facts = databaseFacts.parse(contents.facts);
  const wanted = target.into === undefined ? home : parseUrl(target.into);
  await using server = await openTarget(wanted, run.signal);
  const { admin, address } = server;
  await versionOf(admin, address);
  const work = { address, admin, facts, contents, run };
  const { database } = address;
  const state = await stateOf(admin, database);
  if (target.only.length > 0) return await restoreTables(work, target, state, wanted);
  if (state.holds !== undefined && !target.force)
    throw targetNotEmpty({ target: `Database ${database}`, holds: state.holds });
  const problems = await leftovers(admin, database);
  const loaded = await fillBeside(work, async (beside) => {
    const mark = await markOf(admin, beside);
    if (mark !== undefined) target.beforePlacing?.(mark);
    const clause = charsetClause(facts);
    await admin.run(
      state.exists ? `ALTER DATABASE ${quoted(database)}${clause}` : `CREATE DATABASE ${quoted(database)}${clause}`,
    );
    try {
      return await place({ address, admin, beside, run });
    } catch (error) {
      if (!state.exists) await admin.run(`DROP DATABASE ${quoted(database)}`);
      throw error;
    }
  });
  problems.push(...loaded.problems, ...(await finish(work)));
  return { where: showAddress(withDatabase(wanted, database)), files: loaded.files, bytes: loaded.bytes, problems };
}

/** What comes when all rows are in their place. `again`: one that was killed may have come some of this way. */
async function finish({ address, admin, facts, contents, run }: Restoring, { again = false } = {}): Promise<Problem[]> {
  const definitions = await run.step('definitions', (run) => loadDefinitions(address, contents, run));
  const accounts = await giveAccounts(admin, facts.accounts ?? [], address.database, { again });
  return [...definitions, ...accounts, ...(await missingDefiners(admin, address.database))];
}

/** See `wasPlaced` of source.ts. What comes after the tables is made where it is not there, and what is left over is named. */
export async function wasPlaced(address: ServerAddress, mark: string, contents: Contents, run: Run): Promise<boolean> {
  await using server = await openTarget(address, run.signal);
  if (!(await hasMark(server.admin, address.database, mark))) return false;
  const facts = databaseFacts.parse(contents.facts);
  const { address: at, admin } = server;
  await using session = await connect(at, { signal: run.signal });
  await drawFromOwn(session, at.database, await listObjects(session, at.database));
  const problems = await finish({ address: at, admin, facts, contents, run }, { again: true });
  for (const problem of [...problems, ...(await leftovers(admin, at.database))]) run.problem(problem);
  return true;
}

/** Whether there is no such database, or nothing in it. */
export async function isBare(address: ServerAddress, run: Run): Promise<boolean> {
  await using server = await openTarget(address, run.signal);
  return (await stateOf(server.admin, address.database)).holds === undefined;
}

/**
 * Fills a new database and hands its name to `publish`, which gives its tables to somebody. Removes it when anything fails.
 * @param chosen files of tables; all when absent
 */
async function fillBeside(
  work: Restoring,
  publish: (beside: string) => Promise<readonly Problem[]>,
  chosen?: ReadonlySet<string>,
): Promise<{ files: number; bytes: number; problems: readonly Problem[] }> {
  const { address, admin, facts, contents, run } = work;
  const beside = await freeName(admin, address.database, suffixOf(run));
  await admin.run(`CREATE DATABASE ${quoted(beside)}${charsetClause(facts)}`);
  try {
    const inside = withDatabase(address, beside);
    const loaded = await run.step('load', (run) => loadTables(inside, contents, run, chosen));
    await run.step('compare', (run) => demandEqual(inside, address.database, contents, run, chosen));
    const problems = await run.step('publish', () => publish(beside));
    return { ...loaded, problems };
  } catch (error) {
    const left = await remove(address, beside);
    if (left === '' && (run.signal.aborted || error instanceof LifeboatError)) throw error;
    throw restoreRefused(
      { database: address.database, what: 'The backup', why: `${sentenceOf(error)}${left}` },
      { cause: error },
    );
  }
}

/** @returns what to say where it could not be removed */
async function remove(address: ServerAddress, beside: string): Promise<string> {
  try {
    await using again = await connect(address, { signal: new AbortController().signal, database: '' });
    await again.run(`DROP DATABASE IF EXISTS ${quoted(beside)}`);
    return '';
  } catch (error) {
    return `. Database ${beside} is still there (${sentenceOf(error)})`;
  }
}

/** my14: that statements went through is no proof. */
async function demandEqual(
  inside: ServerAddress,
  database: string,
  { expectations }: Contents,
  run: Run,
  chosen?: ReadonlySet<string>,
): Promise<void> {
  await using session = await connect(inside, { signal: run.signal });
  const objects = await listObjects(session, inside.database);
  const files = new Map(objects.tables.map(({ name }) => [showName(name), tableFile(name)]));
  const { tables } = await measureRows(session, objects, run);
  const found = new Map(tables.map((one) => [one.table, one]));
  for (const { table, rows, checksum } of expectations?.tables ?? []) {
    if (chosen !== undefined && !chosen.has(files.get(table) ?? '')) continue;
    const have = found.get(table);
    if (have?.rows === rows && have.checksum === checksum) continue;
    const why = have === undefined ? 'it is not there afterwards' : 'it is not what it was afterwards';
    throw restoreRefused({ database, what: table, why });
  }
}

/**
 * Restores chosen tables. Without force they come in a database of their own, beside the target. With force they take the place of those
 * in the target, together, as they were: with the definitions and the keys that the backup has of them, and with the triggers that are
 * there now.
 */
async function restoreTables(
  work: Restoring,
  target: RestoreTarget,
  state: State,
  wanted: ServerAddress,
): Promise<Restored> {
  const { address, admin, facts, run } = work;
  const names = chosenOf(facts, target.only);
  const chosen = new Set(names.map(tableFile));
  const replaces = target.force && state.holds !== undefined;
  const into = state.holds === undefined && target.into !== undefined;
  const database =
    replaces || into
      ? address.database
      : await freeName(admin, address.database, `__tables_${run.clock.now().toString(36)}`);
  const { files, bytes, problems } = await fillBeside(
    work,
    async (beside) => {
      await bindKeys(work, beside, new Set(names), replaces ? address.database : undefined);
      const only = new Set(replaces ? names : []);
      if (!replaces && !(into && state.exists))
        await admin.run(`CREATE DATABASE ${quoted(database)}${charsetClause(facts)}`);
      return place({ address: withDatabase(address, database), admin, beside, run, ...(replaces && { only }) });
    },
    chosen,
  );
  return { where: showAddress(withDatabase(wanted, database)), files, bytes, problems };
}

/** @throws `mysql-table-unknown` */
function chosenOf({ definitions }: DatabaseFacts, only: readonly string[]): string[] {
  const tables = definitions.flatMap(({ what }) => (what.startsWith('table ') ? [what.slice('table '.length)] : []));
  return only.map((wish) => {
    const found = tables.find((table) => table === wish || table === showName(wish));
    if (found === undefined) throw tableUnknown({ table: wish, tables: tables.slice(0, 20).join(', ') });
    return found.startsWith('"') ? found.slice(1, -1).replaceAll('""', '"') : found;
  });
}

/** Foreign keys to tables that are not among the chosen lead to those of the target, whose rows they are checked against, or are left out. */
async function bindKeys(
  { address, admin, run }: Restoring,
  beside: string,
  names: ReadonlySet<string>,
  target: string | undefined,
): Promise<void> {
  const keys = await admin.ask(
    `SELECT TABLE_NAME t, CONSTRAINT_NAME k, REFERENCED_TABLE_NAME r FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ${literal(beside)}`,
  );
  await using session = await connect(withDatabase(address, beside), { signal: run.signal });
  const { tables } = await listObjects(session, beside);
  for (const { t, k, r } of keys) {
    if (names.has(r ?? '')) continue;
    await session.run(`ALTER TABLE ${quoted(t ?? '')} DROP FOREIGN KEY ${quoted(k ?? '')}`);
    if (target === undefined) continue;
    const create = tables.find(({ name }) => name === t)?.create ?? '';
    const line = create
      .split('\n')
      .find((one) => one.trimStart().startsWith(`CONSTRAINT ${quoted(k ?? '')} FOREIGN KEY`));
    const key = line
      ?.trim()
      .replace(/,$/, '')
      .replace(/ REFERENCES `/, () => ` REFERENCES ${quoted(target)}.\``);
    await session.run(`ALTER TABLE ${quoted(t ?? '')} ADD ${key}`).catch((error: unknown) => {
      throw restoreRefused(
        { database: target, what: `Table ${showName(t ?? '')}`, why: sentenceOf(error) },
        { cause: error },
      );
    });
  }
}
