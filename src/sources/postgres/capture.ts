import type { Entry } from '../../core/entry.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Capture, CaptureFacts } from '../source.ts';
import { type Connection, connectReading, quoteName, showTable } from './connection.ts';
import { dumpStream } from './dump-process.ts';
import { dumpIncomplete } from './errors.ts';
import {
  countRows,
  type DumpContents,
  expectationsOf,
  listRelations,
  type Relation,
  readDump,
} from './expectations.ts';
import { type DatabaseFacts, queryFacts, serverVersionOf } from './facts.ts';
import { captureGlobals } from './globals.ts';
import type { PostgresOptions } from './postgres.ts';
import { findClient } from './tools.ts';
import type { ServerAddress } from './url.ts';

export const dumpPath = pathFromText('dump.pgdump');
export const globalsPath = pathFromText('globals.sql');

/** Longer than any statement should hold a table for itself. */
const lockWaitMs = 15 * 60_000;

/**
 * One session exports its snapshot, pg_dump works in it, and the session counts every table's rows in it at the same time. The
 * checksums come from the dump's own bytes, so a backup's expectations cost one count per table; that both agree is checked
 * before anything is committed.
 */
export async function capturePostgres(address: ServerAddress, options: PostgresOptions, run: Run): Promise<Capture> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  const connection = await connectReading(address, signal);
  try {
    const version = await serverVersionOf(connection);
    const pgDump = await findClient('pg_dump', version, { ...options.clients, signal });
    await connection.query(`SET LOCAL lock_timeout = ${lockWaitMs}`);
    const [exported] = await connection.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
    const found = await queryFacts(connection);
    const globals = await captureGlobals(connection, version);
    const relations = await listRelations(connection);
    const excluded = await excludedRelations(connection, relations, options.exclude, found.fromStandby);
    const problems: Problem[] = [...globals.problems, ...excluded.problems];

    const contents = readDump(relations);
    const counted = relations.filter(({ oid }) => !excluded.reasons.has(oid));
    // Begins when the dump begins; the failure of either ends the other.
    let counts: Promise<Map<string, number>> | undefined;
    async function* dump(): AsyncGenerator<Uint8Array> {
      counts ??= countRows(connection, counted, () => {});
      counts.catch(() => stop.abort());
      let doneBytes = 0;
      const stream = dumpStream(address, {
        program: pgDump.path,
        direct: connection.direct,
        encoding: found.encoding,
        args: [
          `--snapshot=${exported?.id}`,
          `--lock-wait-timeout=${lockWaitMs}`,
          ...excluded.patterns.map((pattern) => `--exclude-table-data=${pattern}`),
        ],
        contents,
        signal,
        onWarning: (message) => problems.push({ code: 'pg-dump-warning', message }),
      });
      try {
        for await (const bytes of stream) {
          doneBytes += bytes.length;
          run.progress({ doneBytes });
          yield bytes;
        }
      } catch (error) {
        // When the count failed, that is the cause, and the dump's end only its consequence.
        if (stop.signal.aborted && !run.signal.aborted) await counts;
        throw error;
      }
    }

    const facts = {
      ...found,
      globals: globals.facts,
      serverVersion: version.text,
      serverMajor: version.major,
      dumpToolVersion: pgDump.version,
      dumpToolMajor: pgDump.major,
      notChecked: notChecked(relations, excluded.reasons),
    } satisfies DatabaseFacts;
    return {
      entries: entriesOf(dump, globals.script, run),
      async finish(): Promise<CaptureFacts> {
        if (counts === undefined) throw new Error('finish() comes after the entries were read');
        const rows = await counts;
        demandAgreement(address.database, relations, rows, contents);
        const expectations = expectationsOf(relations, contents, excluded.reasons, options.expectations !== 'counts');
        return { facts, expectations, problems };
      },
      async [Symbol.asyncDispose]() {
        stop.abort();
        await counts?.catch(() => {});
        await connection.close();
      },
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function* entriesOf(dump: () => AsyncIterable<Uint8Array>, globals: string, run: Run): AsyncGenerator<Entry> {
  const metadata = { mode: 0o600, uid: 0, gid: 0, mtimeNs: BigInt(run.clock.now()) * 1_000_000n };
  yield { type: 'file', path: dumpPath, ...metadata, content: { from: 'stream', stream: dump } };
  yield { type: 'file', path: globalsPath, ...metadata, content: { from: 'bytes', bytes: Buffer.from(globals) } };
}

interface Excluded {
  /** Number of a table → why. */
  readonly reasons: ReadonlyMap<string, string>;
  /** For pg_dump: each names exactly one table. */
  readonly patterns: readonly string[];
  readonly problems: readonly Problem[];
}

/** Finds the excluded tables, with their partitions. Only rows are left out: the table itself comes back, empty. */
async function excludedRelations(
  connection: Connection,
  relations: readonly Relation[],
  exclude: PostgresOptions['exclude'],
  fromStandby: boolean,
): Promise<Excluded> {
  const reasons = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { table, reason } of exclude) {
    const parts = await connection.query<{ oid: string }>(
      `SELECT coalesce(relid::oid, top)::text AS oid FROM (SELECT to_regclass($1)::oid AS top) t
       LEFT JOIN LATERAL pg_partition_tree(top) ON true WHERE top IS NOT NULL`,
      [qualified(table)],
    );
    if (parts.length === 0) {
      const message = `The excluded table ${table} does not exist: nothing was left out for it.`;
      problems.push({ code: 'excluded-table-missing', message });
    }
    for (const { oid } of parts) reasons.set(oid, reason);
  }
  const unlogged = fromStandby ? relations.filter(({ oid, unlogged }) => unlogged && !reasons.has(oid)) : [];
  for (const { oid } of unlogged) reasons.set(oid, 'it is unlogged, and a standby has no rows of such tables');
  if (unlogged.length > 0) {
    const tables = unlogged.map(({ schema, name }) => showTable(schema, name)).join(', ');
    problems.push({
      code: 'unlogged-on-standby',
      message: `A standby has no rows of unlogged tables: ${tables} come back empty.`,
    });
  }
  const chosen = relations.filter(({ oid }) => reasons.has(oid));
  // In quotes a pattern's special characters stand for themselves.
  return { reasons, problems, patterns: chosen.map(({ schema, name }) => `${quoteName(schema)}.${quoteName(name)}`) };
}

/** The session's search path is empty of user schemas: a bare name means `public`. */
function qualified(table: string): string {
  return /^(?:"(?:[^"]|"")*"|[^".]+)$/.test(table) ? `public.${table}` : table;
}

function notChecked(
  relations: readonly Relation[],
  excluded: ReadonlyMap<string, string>,
): DatabaseFacts['notChecked'] {
  return relations.flatMap(({ oid, schema, name, kind, ofExtension }) => {
    const table = showTable(schema, name);
    if (excluded.has(oid)) return [{ table, reason: `excluded: ${excluded.get(oid)}` }];
    if (kind === 'f') return [{ table, reason: 'a foreign table: its rows live on another server' }];
    if (ofExtension) return [{ table, reason: 'it belongs to an extension' }];
    return [];
  });
}

function demandAgreement(
  database: string,
  relations: readonly Relation[],
  counts: ReadonlyMap<string, number>,
  contents: DumpContents,
): void {
  const differing = relations.flatMap(({ oid, schema, name }) => {
    const [counted, dumped] = [counts.get(oid), contents.tables.get(oid)?.rows];
    if (counted === undefined || counted === dumped) return [];
    return [`${showTable(schema, name)} has ${countOf(counted, 'row')}, the dump ${dumped ?? 'lacks it'}`];
  });
  if (differing.length === 0) return;
  const rest = differing.length > 3 ? `, and ${differing.length - 3} more` : '';
  throw dumpIncomplete({ database, what: differing.slice(0, 3).join('; ') + rest });
}
