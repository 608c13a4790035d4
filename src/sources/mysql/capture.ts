import type { Entry } from '../../core/entry.ts';
import type { TableExpectation } from '../../core/expectations.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { rowChecksum } from '../row-checksum.ts';
import type { Capture } from '../source.ts';
import { type AccountFacts, accountsOf, createAccount, grantsOf } from './accounts.ts';
import { connect, numberOf, type Session } from './connection.ts';
import { definitionsOf } from './definitions.ts';
import { changedMeanwhile, databaseMissing, rowsLost } from './errors.ts';
import { charsetOf, type DatabaseFacts, versionOf } from './facts.ts';
import { literal, quoted, showName } from './names.ts';
import { type Defined, listObjects, type Objects, type Table } from './objects.ts';
import { demandRights } from './rights.ts';
import { insertsOf, rowTextOf } from './row-text.ts';
import { freeDelimiter, headOf } from './statements.ts';
import { type ServerAddress, showServer } from './url.ts';

export const algorithm = 'mysql-checksum-1';

/** Files of a restore point begin with the number of what they hold: in this order they are loaded. */
export const parts = {
  sequences: '1-sequences.sql',
  tables: '2-',
  elsewhere: '3-elsewhere.sql',
  routines: '3-routines.sql',
  views: '4-views.sql',
  triggers: '5-triggers.sql',
  events: '6-events.sql',
  accounts: '7-accounts.sql',
} as const;

/**
 * One session, one snapshot: its rows, counts, checksums and the binlog's position are of one moment, without a lock. Changes of definitions
 * are held back where the account may (RELOAD), and otherwise noticed.
 */
export async function captureMysql(address: ServerAddress, run: Run): Promise<Capture> {
  const session = await connectReading(address, run.signal);
  let holder: Session | undefined;
  const close = async () => {
    await holder?.[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
  };
  try {
    const serverVersion = await versionOf(session, address);
    await demandRights(session, address.database);
    holder = await holdDefinitions(address, run);
    const isHeld = holder !== undefined;
    const { database } = address;
    // What is changed between the snapshot and the first look at it would be of another moment than the position.
    const before = isHeld ? undefined : await listUnheld(session, database);
    await session.run('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    const position = await positionOf(session);
    const objects = await listUnheld(session, database);
    if (before !== undefined) refuseOthers(database, before, objects);
    const charset = await charsetOf(session, database);
    if (charset === undefined) throw databaseMissing({ database, server: showServer(address) });
    const accounts = await accountsOf(session, database, objects);
    const counted: TableExpectation[] = [];
    const facts = {
      ...{ database, serverVersion, ...charset, position },
      ...{ definitions: definitionsOf(objects), accounts: accounts ?? null, notCompared: notComparedOf(objects) },
    } satisfies DatabaseFacts;
    return {
      entries: entriesOf(session, objects, { database, accounts: accounts ?? [] }, counted, run),
      async finish() {
        if (!isHeld) refuseOthers(database, objects, await listUnheld(session, database));
        const apart = objects.tables.filter(({ engine }) => !/^innodb$/i.test(engine));
        const problems: Problem[] = isHeld || apart.length === 0 ? [] : [notOfOneMoment(apart)];
        return { facts, expectations: { algorithm, tables: counted }, problems };
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function notComparedOf({ elsewhere, broken }: Objects): DatabaseFacts['notCompared'] {
  const rows = elsewhere.map(({ name }) => ({ table: showName(name), reason: 'its rows are kept elsewhere' }));
  const views = broken.map((name) => ({
    ...{ table: `view ${showName(name)}`, reason: 'it asks what is not there, in the source already' },
  }));
  return [...rows, ...views];
}

/** For sessions that read without waiting long behind anybody. */
export async function connectReading(address: ServerAddress, signal: AbortSignal): Promise<Session> {
  const session = await connect(address, { signal });
  try {
    await session.run('SET lock_wait_timeout = 5');
    await session.run('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** From BLOCK_DDL on a definition waits to be changed, and nobody waits behind it. Undefined where it may not. */
async function holdDefinitions(address: ServerAddress, run: Run): Promise<Session | undefined> {
  const holder = await connect(address, { signal: run.signal });
  try {
    await holder.run('SET lock_wait_timeout = 5');
    for (const stage of ['START', 'FLUSH', 'BLOCK_DDL']) await holder.run(`BACKUP STAGE ${stage}`);
    return holder;
  } catch (error) {
    await holder[Symbol.asyncDispose]();
    run.signal.throwIfAborted();
    // It has not the right, or somebody holds a table for longer than a backup may wait.
    if (![1044, 1045, 1227, 1205].includes(numberOf(error) ?? 0)) throw error;
    return undefined;
  }
}

/** Of exactly the snapshot; null where the server keeps no log. */
async function positionOf(session: Session): Promise<DatabaseFacts['position']> {
  const rows = await session.ask("SHOW STATUS LIKE 'binlog_snapshot%'");
  const of = (name: string) => rows.find((row) => row.Variable_name?.toLowerCase() === name)?.Value ?? '';
  const [file, position] = [of('binlog_snapshot_file'), of('binlog_snapshot_position')];
  if (file === '') return null;
  const [row] = await session.ask(`SELECT BINLOG_GTID_POS(${literal(file)}, ${Number(position)}) g`);
  return { file, position, gtid: row?.g ?? '' };
}

async function* entriesOf(
  session: Session,
  objects: Objects,
  { database, accounts }: { readonly database: string; readonly accounts: readonly AccountFacts[] },
  counted: TableExpectation[],
  run: Run,
): AsyncGenerator<Entry> {
  const { sequences, tables, elsewhere, routines, views, triggers, events } = objects;
  const ofAccounts = accounts.flatMap((one) => [createAccount(one), ...grantsOf(one, database)]);
  const all = [...sequences, ...tables, ...elsewhere, ...routines, ...views, ...triggers, ...events].map(
    ({ create }) => create,
  );
  const head = headOf(freeDelimiter([...all, ...ofAccounts, ...tables.map(({ name }) => name)]));
  const fileOf = (name: string, statements: readonly string[]): Entry => {
    const bytes = Buffer.from(head.text + statements.map((one) => `${one}${head.delimiter}\n`).join(''));
    return { type: 'file', path: pathFromText(name), ...metadata, content: { from: 'bytes', bytes } };
  };
  if (sequences.length > 0) {
    const texts = sequences.flatMap(({ name, create, next }) => [create, `SELECT SETVAL(${quoted(name)}, ${next}, 0)`]);
    yield fileOf(parts.sequences, texts);
    counted.push(...sequences.map(sequenceExpectation));
  }
  const files = tables.map((table) => ({ table, path: pathFromText(tableFile(table.name)) }));
  for (const [at, { table, path }] of files.sort((a, b) => (a.path < b.path ? -1 : 1)).entries()) {
    run.progress({ label: 'tables', doneItems: at, totalItems: files.length });
    const stream = () => tableText(session, table, head, counted);
    yield { type: 'file', path, ...metadata, content: { from: 'stream', stream } };
  }
  const after: [string, readonly Defined[]][] = [
    [parts.elsewhere, elsewhere],
    [parts.routines, routines],
    [parts.views, views],
    [parts.triggers, triggers],
    [parts.events, events],
  ];
  for (const [name, defined] of after)
    if (defined.length > 0)
      yield fileOf(
        name,
        defined.flatMap(({ settings, create }) => [settings, create]),
      );
  if (ofAccounts.length > 0) yield fileOf(parts.accounts, ofAccounts);
}

export function sequenceExpectation({ name, next }: Objects['sequences'][number]): TableExpectation {
  return { table: `sequence ${showName(name)}`, rows: 1, checksum: next };
}

const metadata = { mode: 0o600, uid: 0, gid: 0, mtimeNs: 0n };

/** A name of a table may be anything; a file's holds no slash, and nothing that a shell would take for something else. */
export function tableFile(table: string): string {
  return `${parts.tables}${table.replace(/[^\p{L}\p{N}_-]/gu, (one) => encodeURIComponent(one).replace(/^[^%]$/, hexOf))}.sql`;
}

function hexOf(one: string): string {
  return `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** A file of a table, as it is read. */
export async function* tableText(
  session: Session,
  table: Table,
  head: ReturnType<typeof headOf>,
  counted: TableExpectation[],
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(head.text);
  if (table.versioned) yield Buffer.from(`SET system_versioning_insert_history = 1${head.delimiter}\n`);
  yield Buffer.from(`${table.create}${head.delimiter}\n`);
  const { expectation, inserts } = readTable(session, table, head.delimiter);
  try {
    yield* inserts;
    counted.push(await expectation());
  } catch (error) {
    if (!isOfAnother(error)) throw error;
    throw changedMeanwhile({ database: 'the database', what: `table ${showName(table.name)}` }, { cause: error });
  }
}

/**
 * It is another than the snapshot's, or gone, or held by who changes it: its definition has changed, there is no such table, column,
 * routine, trigger or event, somebody keeps it locked (my6).
 */
function isOfAnother(error: unknown): boolean {
  return [1412, 1146, 1054, 1305, 1360, 1539, 1205].includes(numberOf(error) ?? 0);
}

/** A table's rows as statements, and then what a restore has to bring back of them: counted and summed in the same snapshot. */
export function readTable(session: Session, table: Table, delimiter: string) {
  const text = rowTextOf(table);
  const sum = rowChecksum(table.columns.map(({ name }) => name));
  async function* inserts() {
    // Of the rows alone: names in statements are UTF-8 (my2).
    await session.run('SET character_set_results = binary');
    yield* insertsOf(text, session.rows(text.select), sum, delimiter);
    await session.run('SET character_set_results = utf8mb4');
  }
  async function expectation(): Promise<TableExpectation> {
    const [row] = await session.ask(`CHECKSUM TABLE ${quoted(table.name)}`);
    const past = table.versioned ? ' FOR SYSTEM_TIME ALL' : '';
    const [count] = await session.ask(`SELECT COUNT(*) c FROM ${quoted(table.name)}${past}`);
    // Two answers of one snapshot: a stream that lost rows is no dump (my12).
    if (Number(count?.c) !== sum.rows) throw rowsLost({ table: table.name, counted: Number(count?.c), read: sum.rows });
    return { table: showName(table.name), rows: sum.rows, checksum: `${row?.Checksum ?? 'none'} ${sum.checksum()}` };
  }
  return { inserts: inserts(), expectation };
}

/** @throws `mysql-changed-meanwhile` where something goes while it is looked at */
async function listUnheld(session: Session, database: string): Promise<Objects> {
  try {
    return await listObjects(session, database);
  } catch (error) {
    if (!isOfAnother(error)) throw error;
    throw changedMeanwhile({ database, what: 'a definition' }, { cause: error });
  }
}

/** @throws `mysql-changed-meanwhile` */
function refuseOthers(database: string, before: Objects, after: Objects): void {
  const [was, is] = [before, after].map(
    (objects) => new Map(definitionsOf(objects, { counters: false }).map(({ what, hash }) => [what, hash])),
  );
  const all = new Set([...was!.keys(), ...is!.keys()]);
  const other = [...all].find((what) => was!.get(what) !== is!.get(what));
  if (other !== undefined) throw changedMeanwhile({ database, what: other });
}

function notOfOneMoment(tables: readonly Table[]): Problem {
  const names = tables
    .slice(0, 5)
    .map(({ name }) => name)
    .join(', ');
  const message = `${names}: kept by an engine without transactions, so their rows may be of another moment than the others'. GRANT RELOAD ON *.* lets the backup hold them.`;
  return { code: 'mysql-not-of-one-moment', message };
}
