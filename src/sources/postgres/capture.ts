import type { Entry } from '../../core/entry.ts';
import { changesOf, type LeftOut } from '../../core/left-out.ts';
import { pathFromText } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Capture, CaptureFacts } from '../source.ts';
import { type Connection, connectReading, showTable, sqlState } from './connection.ts';
import { dumpStream } from './dump-process.ts';
import { dumpFailed, dumpIncomplete } from './errors.ts';
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
import { beginBeside, beginHolding, holdFree, rewrittenSince } from './hold.ts';
import { excludedRelations, leftOutOf, notComparedOf } from './left-out.ts';
import { foreignProblems } from './other-servers.ts';
import type { PostgresOptions } from './postgres.ts';
import { findClient } from './tools.ts';
import type { ServerAddress } from './url.ts';

export const dumpPath = pathFromText('dump.pgdump');
export const globalsPath = pathFromText('globals.sql');

/** Longer than any statement should hold a table for itself. */
const lockWaitMs = 15 * 60_000;
/** pg_dump finds all tables held by us; it waits only behind somebody who waits for us. Then we let go, and begin again. */
const dumpLockWaitMs = 2000;
const attempts = 10;

/**
 * One session holds every table and exports its snapshot, pg_dump works in it, and the session counts every table's rows in it at
 * the same time. The checksums come from the dump's own bytes, so a backup's expectations cost one count per table; that both
 * agree is checked before anything is committed. Where somebody gets between the two, pg_dump goes first from then on.
 */
export async function capturePostgres(
  address: ServerAddress,
  options: PostgresOptions,
  run: Run,
  leftOutBefore?: readonly LeftOut[],
): Promise<Capture> {
  const started = run.clock.elapsed();
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt === attempts || run.clock.elapsed() - started >= lockWaitMs;
    try {
      return await beginCapture(address, options, run, leftOutBefore, { holds: attempt === 1, isLast });
    } catch (error) {
      run.signal.throwIfAborted();
      if (isLast || !wasCrossed(error)) throw error;
    }
  }
}

interface Way {
  /** Tables are held before pg_dump begins; else it begins, and then what nobody waits for. */
  readonly holds: boolean;
  /** What was rewritten before pg_dump had its locks is named, and no reason to begin again. */
  readonly isLast: boolean;
}

/** Never a person's: the next attempt answers it. */
class Rewritten extends Error {}

/** Somebody dropped or rewrote a table before it was held, or waits for one that we hold, and pg_dump behind him. */
function wasCrossed(error: unknown): boolean {
  if (error instanceof Rewritten) return true;
  // pg_dump's own words.
  if (dumpFailed.is(error))
    return /IN ACCESS SHARE MODE|could not open relation|cache lookup failed/.test(error.facts.why);
  return ['42P01', '3F000', '40P01'].includes(sqlState(error) ?? '');
}

/** When it resolves pg_dump has all of its locks. */
async function beginCapture(
  address: ServerAddress,
  options: PostgresOptions,
  run: Run,
  leftOutBefore: readonly LeftOut[] | undefined,
  { holds, isLast }: Way,
): Promise<Capture> {
  const stop = new AbortController();
  const signal = AbortSignal.any([run.signal, stop.signal]);
  const begin = holds ? beginHolding : beginBeside;
  const connection = await connectReading(address, signal, (session) => begin(session, lockWaitMs));
  let dumping: AsyncGenerator<Uint8Array> | undefined;
  try {
    const version = await serverVersionOf(connection);
    const pgDump = await findClient('pg_dump', version, { ...options.clients, signal });
    await connection.query(`SET LOCAL lock_timeout = ${lockWaitMs}`);
    const [exported] = await connection.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
    const found = await queryFacts(connection);
    const globals = await captureGlobals(connection, version);
    const relations = await listRelations(connection);
    const excluded = await excludedRelations(connection, relations, options.exclude, found.fromStandby);
    const leftOut = await leftOutOf(connection, relations, excluded);
    const problems: Problem[] = [
      ...globals.problems,
      ...excluded.problems,
      ...(leftOutBefore === undefined ? [] : changesOf(leftOutBefore, leftOut)),
      ...(await foreignProblems(connection)),
    ];

    const contents = readDump(relations);
    const stream = dumpStream(address, {
      program: pgDump.path,
      direct: connection.direct,
      encoding: found.encoding,
      args: [
        `--snapshot=${exported?.id}`,
        `--lock-wait-timeout=${holds ? dumpLockWaitMs : lockWaitMs}`,
        ...excluded.patterns.map((pattern) => `--exclude-table-data=${pattern}`),
      ],
      contents,
      signal,
      onWarning: (message) => problems.push({ code: 'pg-dump-warning', message }),
    });
    dumping = stream;
    const first = await stream.next();
    const rows = relations.filter(({ oid }) => !excluded.reasons.has(oid));
    const counted = holds ? rows : await countable(connection, rows, { isLast, problems, run });
    // Begins when the dump is read; the failure of either ends the other.
    let counts: Promise<Map<string, number>> | undefined;
    async function* dump(): AsyncGenerator<Uint8Array> {
      counts ??= countRows(connection, counted, () => {});
      counts.catch(() => stop.abort());
      let doneBytes = 0;
      try {
        for (let next = first; !next.done; next = await stream.next()) {
          doneBytes += next.value.length;
          run.progress({ doneBytes });
          yield next.value;
        }
      } catch (error) {
        // When the count failed, that is the cause, and the dump's end only its consequence.
        if (stop.signal.aborted && !run.signal.aborted) await counts;
        throw error;
      }
      await counts;
      // Nothing is held longer than the dump takes.
      await connection.close();
    }

    const facts = {
      ...found,
      globals: globals.facts,
      serverVersion: version.text,
      serverMajor: version.major,
      dumpToolVersion: pgDump.version,
      dumpToolMajor: pgDump.major,
      notCompared: notComparedOf(relations, excluded.reasons),
      leftOut,
    } satisfies DatabaseFacts & { readonly leftOut: readonly LeftOut[] };
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
        await stream.return().catch(() => {});
        await connection.close();
      },
    };
  } catch (error) {
    stop.abort();
    await dumping?.return(undefined).catch(() => {});
    await connection.close();
    throw error;
  }
}

/** Those that stay as the snapshot has them: what somebody got at before pg_dump did is named. */
async function countable(
  connection: Connection,
  relations: readonly Relation[],
  { isLast, problems, run }: Pick<Way, 'isLast'> & { readonly problems: Problem[]; readonly run: Run },
): Promise<Relation[]> {
  const oids = new Set(relations.map(({ oid }) => oid));
  const rewritten = (await rewrittenSince(connection)).filter(({ oid }) => oids.has(oid));
  if (rewritten.length > 0 && !isLast) throw new Rewritten();
  for (const { schema, name } of rewritten) {
    const message = `${showTable(schema, name)} was emptied, rewritten or dropped each time before pg_dump held it: the dump has none of its rows, or those of another moment.`;
    problems.push({ code: 'table-rewritten', message });
  }
  const gone = new Set(rewritten.map(({ oid }) => oid));
  const tables = relations.filter(({ oid, kind, ofExtension }) => kind === 'r' && !ofExtension && !gone.has(oid));
  const held = await holdFree(connection, tables);
  const others = tables.filter((table) => !held.has(table)).map(({ schema, name }) => showTable(schema, name));
  if (others.length > 0) {
    const more = others.length > 3 ? `, and ${others.length - 3} more` : '';
    const message = `The server was not asked how many rows these have, for somebody waits to change them: ${others.slice(0, 3).join(', ')}${more}. The dump is taken at its word.`;
    run.problem({ code: 'rows-not-counted', message });
  }
  return [...held];
}

async function* entriesOf(dump: () => AsyncIterable<Uint8Array>, globals: string, run: Run): AsyncGenerator<Entry> {
  const metadata = { mode: 0o600, uid: 0, gid: 0, mtimeNs: BigInt(run.clock.now()) * 1_000_000n };
  yield { type: 'file', path: dumpPath, ...metadata, content: { from: 'stream', stream: dump } };
  yield { type: 'file', path: globalsPath, ...metadata, content: { from: 'bytes', bytes: Buffer.from(globals) } };
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
