import { createHash } from 'node:crypto';
import type { Entry } from '../../core/entry.ts';
import type { TableExpectation } from '../../core/expectations.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { rowChecksum } from '../row-checksum.ts';
import type { Capture } from '../source.ts';
import { connect, literal, numberOf, quoted, type Session } from './connection.ts';
import { changedMeanwhile, rowsLost } from './errors.ts';
import { type Defined, listObjects, type Objects, type Table } from './objects.ts';
import { endOfStatement, insertsOf, rowTextOf } from './row-text.ts';
import type { ServerAddress } from './url.ts';

export const algorithm = 'mysql-checksum-1';

/** Each file brings its part back by itself: `age -d … | zstd -d | mariadb DATABASE`, in the order of their names. */
const head = `-- Made by Lifeboat. One after another, in the order of their names: mariadb DATABASE < FILE
DELIMITER ${endOfStatement}
SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'${endOfStatement}
`;

export interface ServerFacts {
  readonly version: string;
  readonly isMariadb: boolean;
}

/**
 * One session, one snapshot: its rows, counts, checksums and the binlog's position are of one moment, without a lock. Changes of definitions
 * are held back where the role may (RELOAD), and otherwise noticed.
 */
export async function captureMysql(address: ServerAddress, run: Run): Promise<Capture> {
  const session = await connectReading(address, run.signal);
  const holder = await holdDefinitions(address, run);
  const close = async () => {
    await holder?.[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
  };
  try {
    await session.run('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    const server = await serverOf(session);
    const position = await positionOf(session);
    const objects = await listObjects(session, address.database);
    const [made = {}] = await session.ask(
      'SELECT DEFAULT_CHARACTER_SET_NAME c, DEFAULT_COLLATION_NAME l FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
      [address.database],
    );
    const counted: TableExpectation[] = [];
    return {
      entries: entriesOf(session, objects, server, counted, run),
      async finish() {
        if (holder === undefined) await refuseChanged(session, address, objects);
        const problems: Problem[] = holder !== undefined ? [] : [unheld(address.database)];
        const apart = objects.tables.filter(({ engine }) => !/^innodb$/i.test(engine));
        if (holder === undefined && apart.length > 0) problems.push(notOfOneMoment(apart));
        return {
          facts: {
            ...{ database: address.database, server: server.version, vendor: server.isMariadb ? 'mariadb' : 'mysql' },
            ...{ charset: made.c, collation: made.l, position },
          },
          expectations: { algorithm, tables: [...counted, ...definitionsOf(objects)] },
          problems,
        };
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In the words of a server whose sessions read without waiting long behind anybody. */
export async function connectReading(address: ServerAddress, signal: AbortSignal): Promise<Session> {
  const session = await connect(address, { signal });
  try {
    await session.run("SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = '', sql_quote_show_create = 1");
    await session.run(
      'SET lock_wait_timeout = 5, wait_timeout = 28800, net_write_timeout = 28800, net_read_timeout = 28800',
    );
    await session.run('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

export async function serverOf(session: Session): Promise<ServerFacts> {
  const [row] = await session.ask('SELECT VERSION() v');
  const version = row?.v ?? '';
  return { version, isMariadb: /mariadb/i.test(version) };
}

/** From BLOCK_DDL on a definition waits to be changed, and nobody waits behind it. Undefined where the role may not. */
async function holdDefinitions(address: ServerAddress, run: Run): Promise<Session | undefined> {
  const holder = await connect(address, { signal: run.signal });
  try {
    const { isMariadb } = await serverOf(holder);
    await holder.run('SET lock_wait_timeout = 5, wait_timeout = 28800');
    const stages = ['START', 'FLUSH', 'BLOCK_DDL'].map((stage) => `BACKUP STAGE ${stage}`);
    for (const statement of isMariadb ? stages : ['LOCK INSTANCE FOR BACKUP']) await holder.run(statement);
    return holder;
  } catch (error) {
    await holder[Symbol.asyncDispose]();
    run.signal.throwIfAborted();
    if (![1044, 1045, 1227, 1205].includes(numberOf(error) ?? 0)) throw error;
    return undefined;
  }
}

/** Of exactly the snapshot; null where the server keeps no log. */
async function positionOf(session: Session): Promise<Readonly<Record<string, string>> | null> {
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
  server: ServerFacts,
  counted: TableExpectation[],
  run: Run,
): AsyncGenerator<Entry> {
  const { sequences, tables, routines, views, triggers, events } = objects;
  if (sequences.length > 0) {
    const texts = sequences.flatMap(({ name, create, next }) => [create, `SELECT SETVAL(${quoted(name)}, ${next}, 0)`]);
    yield textEntry('1-sequences.sql', texts);
    for (const { name, next } of sequences)
      counted.push({ table: `sequence ${quoted(name)}`, rows: 1, checksum: next });
  }
  const files = tables.map((table) => ({ table, path: pathFromText(`2-${fileName(table.name)}.sql`) }));
  for (const [at, { table, path }] of files.sort((a, b) => (a.path < b.path ? -1 : 1)).entries()) {
    run.progress({ label: 'tables', doneItems: at, totalItems: files.length });
    const stream = () => tableText(session, table, server, counted);
    yield { type: 'file', path, ...metadata, content: { from: 'stream', stream } };
  }
  const after: [string, readonly Defined[]][] = [
    ['3-routines.sql', routines],
    ['4-views.sql', views],
    ['5-triggers.sql', triggers],
    ['6-events.sql', events],
  ];
  for (const [name, all] of after)
    if (all.length > 0)
      yield textEntry(
        name,
        all.flatMap(({ settings, create }) => [settings, create]),
      );
}

const metadata = { mode: 0o600, uid: 0, gid: 0, mtimeNs: 0n };

function textEntry(name: string, statements: readonly string[]): Entry {
  const bytes = Buffer.from(head + statements.map((one) => `${one}${endOfStatement}\n`).join(''));
  return { type: 'file', path: pathFromText(name), ...metadata, content: { from: 'bytes', bytes } };
}

/** A name of a table may be anything; a file's holds no slash, and nothing that a shell would take for something else. */
function fileName(table: string): string {
  return table.replace(/[^\p{L}\p{N}_-]/gu, (one) => encodeURIComponent(one).replace(/^[^%]$/, hexOf));
}

function hexOf(one: string): string {
  return `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

async function* tableText(
  session: Session,
  table: Table,
  { isMariadb }: ServerFacts,
  counted: TableExpectation[],
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(head);
  if (table.versioned) yield Buffer.from(`SET system_versioning_insert_history = 1${endOfStatement}\n`);
  yield Buffer.from(`${table.create}${endOfStatement}\n`);
  const { expectation, inserts } = readTable(session, table, isMariadb);
  yield* inserts;
  counted.push(await expectation());
}

/** A table's rows as statements, and then what a restore has to bring back of them: counted and summed in the same snapshot. */
export function readTable(session: Session, table: Table, isMariadb: boolean) {
  const text = rowTextOf(table, isMariadb);
  const sum = rowChecksum(table.columns.map(({ name }) => name));
  async function* inserts() {
    // Of the rows alone: names in statements are UTF-8 (my2).
    await session.run('SET character_set_results = binary');
    yield* insertsOf(text, session.rows(text.select), sum);
    await session.run('SET character_set_results = utf8mb4');
  }
  async function expectation(): Promise<TableExpectation> {
    const [row] = await session.ask(`CHECKSUM TABLE ${quoted(table.name)}`);
    const past = table.versioned ? ' FOR SYSTEM_TIME ALL' : '';
    const [count] = await session.ask(`SELECT COUNT(*) c FROM ${quoted(table.name)}${past}`);
    // Two answers of one snapshot: a stream that lost rows is no dump (my12).
    if (Number(count?.c) !== sum.rows) throw rowsLost({ table: table.name, counted: Number(count?.c), read: sum.rows });
    return { table: quoted(table.name), rows: sum.rows, checksum: `${row?.Checksum ?? 'none'} ${sum.checksum()}` };
  }
  return { inserts: inserts(), expectation };
}

export function definitionsOf({ tables, routines, views, triggers, events }: Objects): TableExpectation[] {
  const ofTables = tables.map(({ name, create }) => ({ what: `table ${quoted(name)}`, create, settings: '' }));
  return [...ofTables, ...routines, ...views, ...triggers, ...events].map(({ what, create, settings }) => ({
    table: what,
    rows: 1,
    checksum: createHash('sha256')
      .update(`${settings}\n${withoutCounter(create)}`)
      .digest('hex'),
  }));
}

/** The next number that a table gives is what rows made it, and goes up with each that was tried. */
function withoutCounter(create: string): string {
  return create.replace(/ AUTO_INCREMENT=\d+/, '');
}

/** @throws `mysql-changed-meanwhile` */
async function refuseChanged(session: Session, { database }: ServerAddress, before: Objects): Promise<void> {
  const was = new Map(definitionsOf(before).map(({ table, checksum }) => [table, checksum]));
  const now = definitionsOf(await listObjects(session, database));
  const other =
    now.find(({ table, checksum }) => was.get(table) !== checksum) ??
    (now.length < was.size ? { table: 'something' } : undefined);
  if (other !== undefined) throw changedMeanwhile({ database, what: other.table });
}

function unheld(database: string): Problem {
  const message = `Definitions of ${database} could not be held while they were read, only compared afterwards: GRANT RELOAD ON *.* lets the backup hold them.`;
  return { code: 'mysql-definitions-not-held', message };
}

function notOfOneMoment(tables: readonly Table[]): Problem {
  const names = tables
    .slice(0, 5)
    .map(({ name }) => name)
    .join(', ');
  const message = `${names}: kept by an engine without transactions, so their rows may be of another moment than the others'.`;
  return { code: 'mysql-not-of-one-moment', message };
}
