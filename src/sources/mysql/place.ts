import { sentenceOf } from '../../core/errors.ts';
import type { Problem, Run } from '../../core/run.ts';
import { connect, type Session } from './connection.ts';
import { freeName, isBeside, suffixOf } from './databases.ts';
import { restoreRefused, tablesReferred } from './errors.ts';
import { literal, quoted, showName } from './names.ts';
import { type Defined, listObjects, type Objects } from './objects.ts';
import { unquoted } from './rights.ts';
import { type ServerAddress, withDatabase } from './url.ts';

export interface Placing {
  /** Whose name the target bears. */
  readonly address: ServerAddress;
  readonly admin: Session;
  /** The database that was filled. */
  readonly beside: string;
  /** Tables that take the place of those of their name, and nothing else is touched; all of the target goes when absent. */
  readonly only?: ReadonlySet<string>;
  readonly run: Run;
}

/** A table of what a restore drops of the target before the tables of both change places. */
const keptDefinitions = '__lifeboat_definitions';

/** How long a table of the target may be held by a session of somebody else. */
const lockWaitSeconds = 60;

/**
 * Gives the tables of `beside` to the target, in one statement that renames all of them or none. What was there goes to a database of its
 * own, which is dropped last. A name of a table stands in the triggers, views and routines, so those do not move: the old ones go
 * before, and come back should the statement fail.
 */
export async function place({ address, admin, beside, only, run }: Placing): Promise<Problem[]> {
  const { database } = address;
  await using session = await connect(address, { signal: run.signal });
  await session.run(`SET lock_wait_timeout = LEAST(${lockWaitSeconds}, @@global.lock_wait_timeout)`);
  const [was, is] = [await listObjects(session, database), await listIn(address, beside, run)];
  const leaving = namesOf(was).filter((name) => only?.has(name) ?? true);
  await refuseReferred(session, database, new Set(leaving));
  const arriving = namesOf(is).filter((name) => only === undefined || only.has(name) || !namesOf(was).includes(name));
  const goes = definedOf(was, only === undefined ? undefined : new Set(leaving));
  const old = leaving.length + goes.length === 0 ? undefined : await freeName(admin, database, suffixOf(run, 'old_'));
  if (old !== undefined) await admin.run(`CREATE DATABASE ${quoted(old)}`);
  try {
    if (old !== undefined) await keepDefinitions(admin, old, goes);
    for (const one of goes) await session.run(dropOf(one));
    const moves = [
      ...leaving.map((name) => moveOf(name, database, old ?? '')),
      ...arriving.map((name) => moveOf(name, beside, database)),
    ];
    if (moves.length > 0) await session.run(`RENAME TABLE ${moves.join(', ')}`);
  } catch (error) {
    await using again = await connect(address, { signal: new AbortController().signal });
    await makeAgain(again, goes);
    if (old !== undefined) await admin.run(`DROP DATABASE ${quoted(old)}`);
    run.signal.throwIfAborted();
    throw restoreRefused({ database, what: 'The restored tables', why: sentenceOf(error) }, { cause: error });
  }
  // From here on it is there.
  if (only !== undefined) await makeAgain(session, goes);
  await drawFromOwn(session, database, is);
  const problems: Problem[] = [];
  for (const name of [beside, ...(old === undefined ? [] : [old])]) {
    await admin.run(`DROP DATABASE ${quoted(name)}`).catch((error: unknown) => {
      const message = `Database ${name} is still there: ${sentenceOf(error)}. DROP DATABASE ${quoted(name)};`;
      problems.push({ code: 'replaced-database-left', message });
    });
  }
  return problems;
}

/** Who is killed before the tables have moved leaves them there, and nowhere else. */
async function keepDefinitions(admin: Session, old: string, goes: readonly Defined[]): Promise<void> {
  if (goes.length === 0) return;
  const kept = `${quoted(old)}.${quoted(keptDefinitions)}`;
  await admin.run(`CREATE TABLE ${kept} (settings text, definition longtext) CHARACTER SET utf8mb4`);
  for (const { settings, create } of goes)
    await admin.run(`INSERT INTO ${kept} VALUES (${literal(settings)}, ${literal(create)})`);
}

async function listIn(address: ServerAddress, database: string, run: Run): Promise<Objects> {
  await using session = await connect(withDatabase(address, database), { signal: run.signal });
  return await listObjects(session, database);
}

function namesOf({ tables, sequences }: Objects): string[] {
  return [...sequences, ...tables].map(({ name }) => name);
}

function moveOf(name: string, from: string, to: string): string {
  return `${quoted(from)}.${quoted(name)} TO ${quoted(to)}.${quoted(name)}`;
}

/** What has to go before tables can: all that is defined, or the triggers of some tables. */
function definedOf(
  { elsewhere, views, routines, triggers, events }: Objects,
  tables?: ReadonlySet<string>,
): readonly Defined[] {
  if (tables === undefined) return [...triggers, ...events, ...views, ...routines, ...elsewhere];
  return triggers.filter(({ of }) => of !== undefined && tables.has(of));
}

function dropOf({ kind, name }: Defined): string {
  return `DROP ${kind.toUpperCase()} IF EXISTS ${quoted(name)}`;
}

async function makeAgain(session: Session, defined: readonly Defined[]): Promise<void> {
  const order = ['table', 'package', 'function', 'procedure', 'package body', 'view', 'trigger', 'event'];
  const inOrder = [...defined].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  for (const { settings, create } of inOrder) {
    await session.run(settings);
    await session.run(create).catch((error: unknown) => {
      // It was not dropped yet.
      if (![1050, 1304, 1359, 1537].includes((error as { errno?: number }).errno ?? 0)) throw error;
    });
  }
}

/** @throws `mysql-tables-referred` where tables that stay refer to some that go */
async function refuseReferred(session: Session, database: string, leaving: ReadonlySet<string>): Promise<void> {
  const found = await session.ask(
    `SELECT DISTINCT CONSTRAINT_SCHEMA d, TABLE_NAME t, REFERENCED_TABLE_NAME r FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE UNIQUE_CONSTRAINT_SCHEMA = ${literal(database)}`,
  );
  const bound = found.filter(({ d, t, r }) => leaving.has(r ?? '') && !(d === database && leaving.has(t ?? '')));
  if (bound.length === 0) return;
  const by = bound.map(({ d, t }) =>
    d === database ? showName(t ?? '') : `${showName(d ?? '')}.${showName(t ?? '')}`,
  );
  throw tablesReferred({ tables: [...new Set(bound.map(({ r }) => showName(r ?? '')))].join(', '), by: by.join(', ') });
}

/** A default that draws from a sequence names its database: the one that it was made in, which a restore filled (my5). */
export async function drawFromOwn(session: Session, database: string, { tables }: Objects): Promise<void> {
  const name = '(`(?:[^`]|``)+`)';
  const drawing = new RegExp(`^ {2}${name} .*? DEFAULT nextval\\((?:${name}\\.)?${name}\\)`, 'gm');
  for (const { name: table, create } of tables)
    for (const [, column, from, sequence] of create.matchAll(drawing)) {
      if (from !== undefined && !isBeside(unquoted(from), database)) continue;
      const value = `nextval(${quoted(database)}.${sequence})`;
      await session.run(`ALTER TABLE ${quoted(database)}.${quoted(table)} ALTER COLUMN ${column} SET DEFAULT ${value}`);
    }
}
