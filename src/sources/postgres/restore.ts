import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { NotCompared } from '../../core/expectations.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { toolFailed } from '../../process/errors.ts';
import { targetNotEmpty } from '../errors.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import { type Connection, connect, quoteName } from './connection.ts';
import {
  applyProperties,
  createDatabase,
  dropDatabase,
  freeName,
  leftovers,
  markOf,
  relaxDatabase,
  swapIn,
} from './databases.ts';
import { restoreFailed } from './errors.ts';
import { type DatabaseFacts, databaseFacts, excludedReason, serverVersionOf } from './facts.ts';
import { type Loaded, type LoadOptions, loadDump } from './load.ts';
import { lost, type MadeAgain } from './make-again.ts';
import { connectBeside, giveOwnPassword, openServer } from './open-server.ts';
import type { PostgresOptions } from './postgres.ts';
import { restoreTables } from './restore-tables.ts';
import { checkTarget, createMissingRoles, dropRoles, isMaster, withoutUnknownSettings } from './target.ts';
import type { ServerVersion } from './tools.ts';
import { parseUrl, type ServerAddress, showAddress, withDatabase } from './url.ts';

/**
 * Restores into a new database beside the target and gives it the target's name at the very end, so that whatever fails before
 * leaves the target as it was.
 */
export async function restorePostgres(
  source: ServerAddress,
  options: PostgresOptions,
  contents: Contents,
  target: RestoreTarget,
  run: Run,
): Promise<Restored> {
  const facts = databaseFacts.parse(contents.facts);
  const wanted = target.into === undefined ? source : parseUrl(target.into);
  await using server = await openServer(wanted, target.only.length === 0 ? facts : undefined, run.signal);
  const { admin, address } = server;
  const version = await serverVersionOf(admin);
  const state = await stateOf(admin, address, run.signal);
  const mayRunCode = target.trustCode === true || !(await isMaster(admin));
  const work = { address, admin, version, facts, contents, options, run, mayRunCode };
  if (target.only.length > 0) return await restoreTables(work, target, state);
  if (state.holds !== undefined && !target.force) {
    throw targetNotEmpty({ target: `Database ${address.database}`, holds: state.holds });
  }
  const { database, ...restored } = await restoreBeside(work, async (name) => {
    if (server.isMaster) await giveOwnPassword(admin, wanted, facts);
    const mark = await markOf(admin, name);
    if (mark !== undefined) target.beforePlacing?.(mark);
    return await swapIn(admin, { newDatabase: name, database: address.database, ...state, run });
  });
  return { where: showAddress(withDatabase(wanted, database)), files: 0, ...restored };
}

/** See `wasPlaced` of source.ts. The rename is one transaction, so there is nothing to put right. */
export async function wasPlaced(address: ServerAddress, mark: string, run: Run): Promise<boolean> {
  await using server = await openServer(address, undefined, run.signal);
  return (await markOf(server.admin, address.database)) === mark;
}

/** Whether the server has no such database. */
export async function isAbsent(address: ServerAddress, run: Run): Promise<boolean> {
  await using server = await openServer(address, undefined, run.signal);
  return !(await hasDatabase(server.admin, address.database));
}

/** One restore: where to, from what. */
export interface Restoring {
  readonly address: ServerAddress;
  /** A session in another database of the same server. */
  readonly admin: Connection;
  readonly version: ServerVersion;
  readonly facts: DatabaseFacts;
  readonly contents: Contents;
  readonly options: PostgresOptions;
  readonly run: Run;
  /** It is trusted, or the role that loads has no rights on the server that it could use. */
  readonly mayRunCode: boolean;
}

/**
 * Fills a new database and hands its name to `publish`, which gives it the right one. Removes it, and the roles it made, when
 * anything fails. `choose` picks what is restored; everything when absent.
 */
export async function restoreBeside(
  work: Restoring,
  publish: (name: string) => Promise<readonly Problem[]>,
  choose?: Parameters<typeof loadDump>[2],
): Promise<{ database: string; bytes: number; problems: Problem[]; notCompared: readonly NotCompared[] }> {
  const { address, admin, version, run } = work;
  const { facts, problems: unknown } = await withoutUnknownSettings(admin, work.facts);
  const { database } = address;
  const { noTablespaces, isSuper, problems } = await checkTarget(work);
  const name = await freeName(admin, database, `__lifeboat_${run.clock.now().toString(36)}`);
  problems.push(...(await leftovers(admin, database)), ...leftOut(facts), ...unknown);
  const roles: string[] = [];
  let created = false;
  const options = { noTablespaces, isSuper, onRole: (role: string) => void roles.push(role) };
  const loaded = await fillAndPublish().catch(async (error: unknown) => {
    const left = await removeAgain(work, created ? name : undefined, roles);
    // An error of our own tells more than any wrapping, except where only a program speaks.
    const speaks = error instanceof LifeboatError && !toolFailed.is(error);
    if (left === '' && (run.signal.aborted || speaks)) throw error;
    throw restoreFailed({ database, why: sentenceOf(error), left }, { cause: error });
  });
  const late = await loadLate(work, loaded.putOff, { ...options, mayPutOff: false });
  problems.push(...late.problems);
  return { database, bytes: loaded.sizeBytes, problems, notCompared: [...loaded.unfilled, ...late.unfilled] };

  async function fillAndPublish(): Promise<Loaded> {
    const made = await run.step('roles', () => createMissingRoles(admin, facts));
    roles.push(...made.roles);
    problems.push(...made.problems);
    await createDatabase(admin, name, facts, { version, noTablespaces, closed: isSuper });
    created = true;
    await relaxDatabase(admin, name);
    const inside = withDatabase(address, name);
    const filled = await run.step('load', (run) =>
      loadDump({ ...work, run }, inside, choose, { ...options, mayPutOff: choose === undefined }),
    );
    problems.push(...filled.problems);
    await applyProperties(admin, name, facts);
    problems.push(...(await run.step('publish', () => publish(name))));
    return filled;
  }
}

/**
 * What could not be made in a database of another name: pg_cron, for one, is bound to one name. What cannot be made now either is named, and
 * all else is back.
 */
async function loadLate(work: Restoring, putOff: ReadonlySet<number>, options: LoadOptions): Promise<MadeAgain> {
  if (putOff.size === 0) return { problems: [], unfilled: [] };
  const { address, run } = work;
  try {
    return await run.step('load the rest', (run) => loadDump({ ...work, run }, address, () => putOff, options));
  } catch (error) {
    run.signal.throwIfAborted();
    const what = `${countOf(putOff.size, 'object')} of extensions that need the name of the database`;
    return { problems: [lost(what, sentenceOf(error))], unfilled: [] };
  }
}

/** Whoever restores did not necessarily write the configuration. */
function leftOut({ notCompared }: DatabaseFacts): Problem[] {
  return notCompared
    .filter(({ reason }) => reason.startsWith(excludedReason))
    .map(({ table, reason }) => ({ code: 'rows-left-out', message: `${table} comes back without rows (${reason}).` }));
}

async function removeAgain(work: Restoring, name: string | undefined, roles: readonly string[]): Promise<string> {
  try {
    // Its own session: the run's may have been aborted with the run.
    await using admin = await connectBeside(work.address);
    if (name !== undefined) await dropDatabase(admin, name, work.version);
    await dropRoles(admin, roles);
    return '';
  } catch (error) {
    const things = [
      ...(name === undefined ? [] : [`database ${quoteName(name)}`]),
      ...roles.map((role) => `role ${quoteName(role)}`),
    ];
    return `Left behind, for you to drop: ${things.join(', ')} (${sentenceOf(error)}).`;
  }
}

export interface TargetState {
  readonly exists: boolean;
  /** An interrupted CREATE or DROP DATABASE left it: it can only be dropped. */
  readonly isTorn: boolean;
  /** What is in it, for people; undefined when it is empty or does not exist. */
  readonly holds: string | undefined;
}

async function hasDatabase(admin: Connection, database: string): Promise<boolean> {
  return (await admin.query('SELECT FROM pg_database WHERE datname = $1', [database])).length > 0;
}

async function stateOf(admin: Connection, address: ServerAddress, signal: AbortSignal): Promise<TargetState> {
  if (!(await hasDatabase(admin, address.database))) return { exists: false, isTorn: false, holds: undefined };
  const torn = await admin.query('SELECT FROM pg_database WHERE datname = $1 AND datconnlimit = -2', [
    address.database,
  ]);
  if (torn.length > 0) {
    return {
      exists: true,
      isTorn: true,
      holds: 'what an interrupted CREATE or DROP DATABASE left, and nobody can read',
    };
  }
  await using connection = await connect(address, signal);
  const [holds] = await connection.query<{ relations: number; others: number }>(`
    SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind <> 't')::int AS relations,
      ((SELECT count(*) FROM pg_proc WHERE oid >= 16384) + (SELECT count(*) FROM pg_type WHERE oid >= 16384)
        + (SELECT count(*) FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_')
        + (SELECT count(*) FROM pg_largeobject_metadata))::int AS others`);
  const { relations = 0, others = 0 } = holds ?? {};
  if (relations + others === 0) return { exists: true, isTorn: false, holds: undefined };
  return {
    ...{ exists: true, isTorn: false },
    holds: relations > 0 ? `${countOf(relations, 'relation')} (tables, indexes, sequences)` : countOf(others, 'object'),
  };
}
