import type { Expectations, TableExpectation } from '../../core/expectations.ts';
import type { Run } from '../../core/run.ts';
import { textChecksum } from '../row-checksum.ts';
import type { Contents, Measurement } from '../source.ts';
import { type Connection, connect, quoteName, sqlState } from './connection.ts';
import { compareDefinitions, recordedToc } from './definitions.ts';
import { dumpStream } from './dump-process.ts';
import { type DumpContents, expectationsOf, listRelations, readDump, schemaPrefix } from './expectations.ts';
import { databaseFacts, encodingOf, serverVersionOf } from './facts.ts';
import type { PostgresOptions } from './postgres.ts';
import { compareSurroundings } from './surroundings.ts';
import { findClient } from './tools.ts';
import type { ServerAddress } from './url.ts';

type Integrity = Measurement['integrity'][number];

/**
 * Dumps the restored copy and reads along as the capture did, so that equal means: the same rows and values can be had from it
 * again. Then all definitions, roles and settings, where the restore point is at hand, and the engine's own checks. Writes to the copy: it makes the extension amcheck there.
 */
export async function measurePostgres(
  address: ServerAddress,
  options: PostgresOptions,
  expected: Expectations,
  run: Run,
  recorded?: Contents,
): Promise<Measurement> {
  await using connection = await connect(address, run.signal);
  const version = await serverVersionOf(connection);
  const pgDump = await findClient('pg_dump', version, { ...options.clients, signal: run.signal });
  const checksums = expected.tables.some(({ checksum }) => checksum !== undefined);
  const relations = await listRelations(connection);
  const contents = readDump(relations);
  const encoding = await encodingOf(connection);
  const stream = dumpStream(address, {
    program: pgDump.path,
    direct: connection.direct,
    encoding,
    args: [],
    contents,
    signal: run.signal,
    onWarning: () => {},
  });
  let doneBytes = 0;
  for await (const bytes of stream) {
    doneBytes += bytes.length;
    run.progress({ label: 'rows read back', doneBytes });
  }
  const found = expectationsOf(relations, contents, new Map(), checksums);
  const actual = { ...found, tables: [...found.tables, ...kindsGone(expected, found)] };
  const integrity = [
    ...(recorded === undefined ? [] : await compareWith(recorded, contents, connection)),
    await checkValidity(connection),
    ...(await checkStorage(connection, run)),
  ];
  return { actual, integrity };
}

async function compareWith(recorded: Contents, found: DumpContents, connection: Connection): Promise<Integrity[]> {
  const { header, entries } = found;
  const toc = await recordedToc(recorded);
  if (toc === undefined || header === undefined) throw new Error('a dump that was read has a table of contents');
  const surroundings = await compareSurroundings(connection, databaseFacts.parse(recorded.facts));
  return [compareDefinitions(toc, { header, entries }), surroundings];
}

/** A kind of schema object of which nothing is left is no row in a dump; here it is one, with none of it. */
function kindsGone(expected: Expectations, found: Expectations): TableExpectation[] {
  const names = new Set(found.tables.map(({ table }) => table));
  const gone = expected.tables.filter(({ table }) => table.startsWith(schemaPrefix) && !names.has(table));
  return gone.map(({ table }) => ({ table, rows: 0, checksum: textChecksum([]) }));
}

/**
 * An index that is not valid answers nothing; a constraint that is not validated proves nothing. An index of a partitioned table holds
 * nothing itself: it is not valid where it was made without its partitions, and which of them have one is among the definitions.
 */
async function checkValidity(connection: Connection): Promise<Integrity> {
  const found = await connection.query<{ what: string; ok: boolean; mayBe: boolean }>(`
    SELECT format('index %s', indexrelid::regclass) AS what, indisvalid AND indisready AS ok, relkind = 'I' AS "mayBe"
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indexrelid >= 16384
    UNION ALL
    SELECT format('constraint %I of %s', conname, conrelid::regclass), convalidated, true FROM pg_constraint
    WHERE conrelid <> 0 AND oid >= 16384`);
  const names = (mayBe: boolean) => found.filter((one) => !one.ok && one.mayBe === mayBe).map(({ what }) => what);
  const [bad, unproved] = [names(false), names(true)];
  const detail = [
    ...(bad.length > 0 ? [`not valid: ${bad.slice(0, 5).join(', ')}`] : []),
    ...(unproved.length > 0 ? [`as NOT VALID in the source: ${unproved.slice(0, 5).join(', ')}`] : []),
  ].join('; ');
  return { name: 'indexes and constraints', ok: bad.length === 0, looked: found.length, detail: detail || 'all valid' };
}

/** amcheck: every B-tree index against its table and its own order, and every table's pages. */
async function checkStorage(connection: Connection, run: Run): Promise<Integrity[]> {
  const [amcheck] = await connection.query<{ heap: boolean }>(
    "SELECT bool_or(version >= '1.3') AS heap FROM pg_available_extension_versions WHERE name = 'amcheck' HAVING count(*) > 0",
  );
  if (amcheck === undefined) return [];
  const schema = 'lifeboat_amcheck';
  const quoted = quoteName(schema);
  const [present] = await connection.query<{ schema: string }>(
    "SELECT nspname AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'",
  );
  // Event triggers of the copy are not asked, nor run as us; those that cannot be kept quiet keep us from it.
  const [loud] = await connection.query("SELECT FROM pg_event_trigger WHERE evtenabled IN ('A', 'R') LIMIT 1");
  if (loud !== undefined && present === undefined) return [];
  try {
    await connection.query('SET session_replication_role = replica');
    if (present === undefined)
      await connection.query(`CREATE SCHEMA ${quoted}; CREATE EXTENSION amcheck SCHEMA ${quoted}`);
  } catch (error) {
    // Only a superuser may; the rows were all read anyway.
    if (sqlState(error) === '42501') return [];
    throw error;
  }
  try {
    const where = present === undefined ? quoted : quoteName(present.schema);
    const checks = [await checkIndexes(connection, where, run)];
    if (amcheck.heap) checks.push(await checkTables(connection, where, run));
    return checks;
  } finally {
    if (present === undefined) await connection.query(`DROP EXTENSION amcheck; DROP SCHEMA ${quoted}`);
  }
}

async function checkIndexes(connection: Connection, schema: string, run: Run): Promise<Integrity> {
  const indexes = await connection.query<{ oid: string; name: string }>(`
    SELECT c.oid::text, c.oid::regclass::text AS name FROM pg_class c JOIN pg_am a ON a.oid = relam
    JOIN pg_index ON indexrelid = c.oid
    WHERE amname = 'btree' AND relkind = 'i' AND relpersistence <> 't' AND indisvalid`);
  return checkEach('amcheck: indexes', indexes, run, (oid) =>
    connection.query(`SELECT ${schema}.bt_index_check(${oid}::regclass, heapallindexed => true)`).then(() => undefined),
  );
}

async function checkTables(connection: Connection, schema: string, run: Run): Promise<Integrity> {
  const tables = await connection.query<{ oid: string; name: string }>(`
    SELECT oid::text, oid::regclass::text AS name FROM pg_class
    WHERE relkind IN ('r', 'm', 't') AND relam = (SELECT oid FROM pg_am WHERE amname = 'heap') AND relpersistence <> 't'`);
  return checkEach('amcheck: tables', tables, run, async (oid) => {
    const [found] = await connection.query<{ msg: string }>(
      `SELECT msg FROM ${schema}.verify_heapam(${oid}::regclass) LIMIT 1`,
    );
    return found?.msg;
  });
}

/** Errors of what is looked at: a function that is not found, that divides by zero, that raises. */
const ofTheObject = /^(0A|2[0-9]|3[0-9]|42|P0)/;

/** `check` gives what is wrong, or throws PostgreSQL's own complaint of class XX (damage). */
async function checkEach(
  name: string,
  things: readonly { readonly oid: string; readonly name: string }[],
  run: Run,
  check: (oid: string) => Promise<string | undefined>,
): Promise<Integrity> {
  const damaged: string[] = [];
  const unchecked: string[] = [];
  for (const [at, { oid, name: thing }] of things.entries()) {
    run.progress({ label: name, doneItems: at, totalItems: things.length });
    const wrong = await check(oid).catch((error: unknown) => {
      const state = sqlState(error) ?? '';
      if (state.startsWith('XX')) return (error as Error).message;
      if (!ofTheObject.test(state)) throw error;
      // An index on a function that finds its own tables only as the application has set its session.
      unchecked.push(thing);
      return undefined;
    });
    if (wrong !== undefined) damaged.push(`${thing}: ${wrong}`);
  }
  const looked = things.length - unchecked.length;
  const left =
    unchecked.length === 0 ? '' : ` (not checked, they call what cannot run here: ${unchecked.slice(0, 5).join(', ')})`;
  const detail = damaged.length === 0 ? `${looked} sound` : damaged.slice(0, 5).join('; ');
  return { name, ok: damaged.length === 0, looked, detail: detail + left };
}
