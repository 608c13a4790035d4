import type { Problem } from '../../core/run.ts';
import type { Restored, RestoreTarget } from '../source.ts';
import { connect, quoteName, quoteText, showTable } from './connection.ts';
import { freeName, swapIn } from './databases.ts';
import { decoded, encoded } from './dump-names.ts';
import { type ChosenTable, chooseTables, entriesForTables, sequenceValues } from './dump-tables.ts';
import type { DumpEntry } from './dump-toc.ts';
import { tablesReferred } from './errors.ts';
import { demandNoCode, loadRows, openDump } from './load.ts';
import { type Restoring, restoreBeside, type TargetState } from './restore.ts';
import { showAddress, withDatabase } from './url.ts';

/**
 * Restores chosen tables. Without force they come in a database of their own, beside the target: with all definitions of the
 * backup, the rows of the chosen tables, and no foreign keys to tables whose rows are not there. With force their rows replace
 * those in the target, in one transaction.
 */
export async function restoreTables(work: Restoring, target: RestoreTarget, state: TargetState): Promise<Restored> {
  const { address, admin, run } = work;
  if (target.force && state.holds !== undefined) return replaceRows(work, target.only);
  const beside = state.holds === undefined && target.into !== undefined;
  const database = beside
    ? address.database
    : await freeName(admin, address.database, `__tables_${run.clock.now().toString(36)}`);
  const only = await encoded(admin, target.only, work.facts.encoding);
  const { bytes, problems } = await restoreBeside(
    work,
    (newDatabase) => swapIn(admin, { newDatabase, database, exists: beside && state.exists, isTorn: false, run }),
    (entries) => entriesForTables(entries, chooseTables(entries, only, work.facts.database)),
  );
  return { where: showAddress(withDatabase(address, database)), files: 0, bytes, problems };
}

/**
 * Empties the tables and fills them from the backup. Sound only if nothing else refers to their rows: TRUNCATE refuses
 * otherwise, and so do we, before. Rows come in the order of the dump, so the keys among the tables are away meanwhile, and checked
 * when all are back; those to other tables are checked while rows come in. Triggers of the application rest: what they did is
 * in the backup already. Sequences only ever move forward. The transaction is committed after the dump's last byte was found to
 * be sound.
 */
async function replaceRows(work: Restoring, only: readonly string[]): Promise<Restored> {
  const { address, facts } = work;
  // Its checks and indexes are those of the live tables, which others may change until the very moment.
  demandNoCode(
    work,
    only.map((table) => `the definition of ${table} on the server`),
  );
  await using dump = await openDump(work);
  const chosen = chooseTables(dump.entries, await encoded(work.admin, only, facts.encoding), facts.database);
  const { before, after } = await scriptsAround(work, chosen, dump.entries);

  const ids = new Set(chosen.map(({ data }) => data.dumpId));
  const bytes = await loadRows(work, address, dump, ids, async function* (rows) {
    yield Buffer.from(before);
    yield* rows;
    yield Buffer.from(after);
  });
  const problems: Problem[] = [];
  return { where: showAddress(address), files: 0, bytes, problems };
}

async function scriptsAround(
  work: Restoring,
  chosen: readonly ChosenTable[],
  entries: readonly DumpEntry[],
): Promise<{ before: string; after: string }> {
  await using connection = await connect(work.address, work.run.signal);
  const names = await decoded(
    connection,
    chosen.flatMap(({ data }) => [data.namespace, data.tag]),
    work.facts.encoding,
  );
  const pairs = chosen.map((_, at) => [names[at * 2] ?? '', names[at * 2 + 1] ?? ''] as const);
  const tables = pairs.map(([schema, name]) => `${quoteName(schema)}.${quoteName(name)}`);
  // A partitioned table all of whose partitions are chosen counts as chosen.
  const replaced = await connection.query<{ oid: string }>(
    `SELECT unnest($1::regclass[])::oid::text AS oid
     UNION SELECT oid::text FROM pg_class c WHERE relkind = 'p' AND NOT EXISTS (
       SELECT FROM pg_partition_tree(c.oid) WHERE isleaf AND relid <> ALL($1::regclass[]))`,
    [tables],
  );
  const oids = replaced.map(({ oid }) => oid);
  const referring = await connection.query<{ by: string }>(
    `SELECT DISTINCT conrelid::regclass::text AS by FROM pg_constraint
     WHERE contype = 'f' AND confrelid = ANY($1::oid[]) AND conrelid <> ALL($1::oid[])`,
    [oids],
  );
  if (referring.length > 0) {
    const shown = pairs.map(([schema, name]) => showTable(schema, name)).join(', ');
    throw tablesReferred({ tables: shown, by: referring.map(({ by }) => by).join(', ') });
  }
  const keys = await connection.query<{ off: string; on: string }>(
    `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I;', conrelid::regclass, conname) AS off,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s;', conrelid::regclass, conname, pg_get_constraintdef(oid))
         || coalesce(format(' COMMENT ON CONSTRAINT %I ON %s IS %L;', conname, conrelid::regclass,
           obj_description(oid, 'pg_constraint')), '') AS on
     FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY($1::oid[]) AND confrelid = ANY($1::oid[])
     ORDER BY conrelid, conname`,
    [oids],
  );
  const triggers = await connection.query<{ off: string; on: string }>(
    `SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER %I;', tgrelid::regclass, tgname) AS off,
       format('ALTER TABLE ONLY %s ENABLE %sTRIGGER %I;', tgrelid::regclass,
         CASE tgenabled WHEN 'R' THEN 'REPLICA ' WHEN 'A' THEN 'ALWAYS ' ELSE '' END, tgname) AS on
     FROM pg_trigger WHERE tgrelid = ANY($1::regclass[]) AND NOT tgisinternal AND tgenabled <> 'D'`,
    [tables],
  );
  const sequences = await connection.query<{ name: string; schema: string; regclass: string }>(
    `SELECT s.relname AS name, nspname AS schema, s.oid::regclass::text AS regclass
     FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY($1::regclass[])
       AND d.deptype IN ('a', 'i')`,
    [tables],
  );
  const values = sequenceValues(entries);
  const spelled = await decoded(
    connection,
    values.flatMap(({ schema, name }) => [schema, name]),
    work.facts.encoding,
  );
  const stood = new Map(values.map((value, at) => [`${spelled[at * 2]}\0${spelled[at * 2 + 1]}`, value]));
  const forward = sequences.flatMap(({ name, schema, regclass }) => {
    const value = stood.get(`${schema}\0${name}`);
    if (value === undefined) return [];
    const [as, sequence] = [value.used, quoteText(regclass)];
    return [
      `SELECT pg_catalog.setval(${sequence}, ${value.last}, ${as}) FROM ${regclass} s, pg_catalog.pg_sequence q
       WHERE q.seqrelid = ${sequence}::pg_catalog.regclass AND (s.last_value < ${value.last}) = (q.seqincrement > 0);`,
    ];
  });
  const lines = (statements: readonly string[]) => `${statements.join('\n')}\n`;
  return {
    before: lines([
      'BEGIN;',
      'SET LOCAL lock_timeout = 60000;',
      ...triggers.map(({ off }) => off),
      ...keys.map(({ off }) => off),
      `TRUNCATE ONLY ${tables.join(', ONLY ')};`,
    ]),
    after: lines([
      "SET client_encoding = 'UTF8';",
      // Nothing may wait for the end any more when a table is altered.
      'SET CONSTRAINTS ALL IMMEDIATE;',
      ...keys.map(({ on }) => on),
      ...triggers.map(({ on }) => on),
      ...forward,
      'COMMIT;',
    ]),
  };
}
