import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tool } from '../../process/find-tool.ts';
import { startProcess } from '../../process/start.ts';
import { dumpPath } from './capture.ts';
import { codeIn } from './dump-code.ts';
import { DumpBroken, type DumpReader, dumpReader } from './dump-reader.ts';
import { type DumpEntry, DumpUnknown } from './dump-toc.ts';
import { dumpBroken, dumpRunsCode } from './errors.ts';
import type { Restoring } from './restore.ts';
import { findClient } from './tools.ts';
import { type ServerAddress, toolEnvironment } from './url.ts';

/** Picks entries of the dump, by their number. */
type Choose = (entries: readonly DumpEntry[]) => ReadonlySet<number>;

/**
 * Loads the dump into an empty database, in two passes. Definitions and rows come from the stream, in its order, nothing is
 * stored on the way. Indexes, constraints and triggers need no rows from the dump: only its head, a small file, from which
 * pg_restore builds several at a time. Between the two the stream was read to its end, where its SHA-256 is compared.
 * @returns the size of the dump
 */
export async function loadDump(
  work: Restoring,
  inside: ServerAddress,
  choose: Choose | undefined,
  { noTablespaces }: { noTablespaces: boolean },
): Promise<number> {
  const { options, run } = work;
  const pgRestore = await restoreProgram(work);
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-restore-'));
  try {
    await using dump = await openDump(work);
    demandNoCode(work, codeIn(dump.entries));
    const common = ['--exit-on-error', '--no-password', `--dbname=${conninfo(inside.database)}`];
    if (noTablespaces) common.push('--no-tablespaces');
    await using list = choose === undefined ? undefined : await writeList(choose(dump.entries), dump.entries);
    if (list !== undefined) common.push(`--use-list=${list.path}`);
    const environment = { ...toolEnvironment(inside, { direct: true }), signal: run.signal };
    await using rows = await startProcess(pgRestore.path, [...common, '--section=pre-data', '--section=data'], {
      ...environment,
      input: dump.stream(),
      stdout: 'tail',
    });
    await rows.completed();
    const sizeBytes = await dump.finish();

    const head = join(folder, 'head.pgdump');
    await writeFile(head, dump.head, { mode: 0o600 });
    const jobs = `--jobs=${options.jobs ?? Math.min(4, availableParallelism())}`;
    await using indexes = await startProcess(pgRestore.path, [...common, '--section=post-data', jobs, head], {
      ...environment,
      stdout: 'tail',
    });
    await indexes.completed();
    return sizeBytes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws `postgres-dump-runs-code` */
export function demandNoCode({ mayRunCode, address, facts }: Restoring, code: readonly string[]): void {
  if (mayRunCode || code.length === 0) return;
  const rest = code.length > 3 ? `, and ${code.length - 3} more` : '';
  throw dumpRunsCode({ database: facts.database, user: address.user, what: code.slice(0, 3).join(', ') + rest });
}

/** A client that understands both the dump and the server. */
export async function restoreProgram({ facts, version, options, run }: Restoring): Promise<Tool> {
  const dumpTool = { text: facts.dumpToolVersion, major: facts.dumpToolMajor };
  const need = dumpTool.major > version.major ? dumpTool : version;
  return findClient('pg_restore', need, { ...options.clients, signal: run.signal });
}

/** A list as `pg_restore --list` prints it, of which only the number before the semicolon counts. In the dump's own order. */
export async function writeList(
  chosen: ReadonlySet<number>,
  entries: readonly DumpEntry[],
): Promise<{ path: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-list-'));
  const path = join(folder, 'list');
  const lines = entries.filter(({ dumpId }) => chosen.has(dumpId)).map(({ dumpId }) => `${dumpId};\n`);
  await writeFile(path, lines.join(''));
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** The dump's table of contents, and then its bytes, read along so that a dump that is not whole is never taken for one. */
interface OpenDump extends AsyncDisposable {
  readonly entries: readonly DumpEntry[];
  /** Header and table of contents. */
  readonly head: Uint8Array;
  /** From the first byte. What its reader leaves unread, `finish` reads. */
  stream(): AsyncGenerator<Uint8Array>;
  /** After `stream`: to the last byte, where its digest is compared. @returns the size in bytes */
  finish(): Promise<number>;
}

export async function openDump({
  contents,
  facts,
  run,
}: Pick<Restoring, 'contents' | 'facts' | 'run'>): Promise<OpenDump> {
  const source = contents.read(dumpPath)[Symbol.asyncIterator]();
  let entries: readonly DumpEntry[] = [];
  const ignore = { add() {}, close() {} };
  const reader = dumpReader({
    toc: (_header, all) => {
      entries = all;
    },
    table: () => ignore,
    largeObject: () => ignore,
  });
  let sizeBytes = 0;
  const readOn = async (): Promise<Uint8Array | undefined> => {
    const { value, done } = await source.next();
    if (done) return undefined;
    readAlong(() => reader.push(value), facts.database);
    sizeBytes += value.length;
    run.progress({ label: 'dump', doneBytes: sizeBytes });
    return value;
  };
  // One after the other, and a failure stays: `stream` may still wait for bytes, for a program that has ended, when `finish`
  // begins. Damage that only `stream` saw would not stop the restore.
  let turn: Promise<Uint8Array | undefined> = Promise.resolve(undefined);
  const next = () => {
    turn = turn.then(readOn);
    return turn;
  };

  const first: Uint8Array[] = [];
  while (reader.headSizeBytes === undefined) {
    const bytes = await next();
    if (bytes === undefined) break;
    // A copy: the vault may use its buffer again.
    first.push(Uint8Array.from(bytes));
  }
  const head = headOf(first, reader, facts.database);
  return {
    entries,
    head,
    async *stream() {
      yield* first.splice(0);
      for (let bytes = await next(); bytes !== undefined; bytes = await next()) yield bytes;
      readAlong(() => reader.end(), facts.database);
    },
    async finish() {
      while ((await next()) !== undefined);
      readAlong(() => reader.end(), facts.database);
      return sizeBytes;
    },
    async [Symbol.asyncDispose]() {
      await source.return?.();
    },
  };
}

function headOf(first: readonly Uint8Array[], reader: DumpReader, database: string): Uint8Array {
  if (reader.headSizeBytes === undefined) readAlong(() => reader.end(), database);
  return Buffer.concat(first).subarray(0, reader.headSizeBytes);
}

function readAlong(step: () => void, database: string): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof DumpBroken || error instanceof DumpUnknown)) throw error;
    throw dumpBroken({ database, why: error.message }, { cause: error });
  }
}

/** A database's name may hold anything, also what pg_restore would take for a connection string. */
function conninfo(database: string): string {
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
