import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '../../core/run.ts';
import type { Tool } from '../../process/find-tool.ts';
import { startProcess } from '../../process/start.ts';
import { dumpPath } from './capture.ts';
import { type Connection, connect } from './connection.ts';
import { codeIn, showEntry, unreadable } from './dump-code.ts';
import { ownersIn, partsOf } from './dump-parts.ts';
import { DumpBroken, type DumpReader, dumpReader } from './dump-reader.ts';
import { type DumpEntry, DumpUnknown } from './dump-toc.ts';
import { dumpBroken, dumpRunsCode } from './errors.ts';
import { closeLoader, handOver, type Loader, makeLoader } from './loader.ts';
import type { Restoring } from './restore.ts';
import { findClient } from './tools.ts';
import { type ServerAddress, toolEnvironment } from './url.ts';

/** Picks entries of the dump, by their number. */
type Choose = (entries: readonly DumpEntry[]) => ReadonlySet<number>;

export interface LoadOptions {
  readonly noTablespaces: boolean;
  /** The URL's role is a superuser. */
  readonly isSuper: boolean;
  /** See `makeLoader`. */
  readonly onRole: (role: string) => void;
}

/**
 * Loads the dump into an empty database, in passes. Rows come from the stream, in its order, nothing is stored on the way.
 * Definitions, indexes, constraints and triggers need only its head, a small file, from which pg_restore builds several at a
 * time. Before those that need rows the stream was read to its end, where its SHA-256 is compared.
 *
 * Code of the dump is not a superuser's to run: where there is some, a role of its own loads it (`makeLoader`), and the superuser
 * makes only what runs nothing, before that role comes and after it has gone.
 * @returns the size of the dump
 */
export async function loadDump(
  work: Restoring,
  inside: ServerAddress,
  choose: Choose | undefined,
  { noTablespaces, isSuper, onRole }: LoadOptions,
): Promise<number> {
  const { options, run, admin, facts } = work;
  const pgRestore = await restoreProgram(work);
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-restore-'));
  try {
    await using dump = await openDump(work);
    const { entries } = dump;
    const chosen = choose?.(entries) ?? new Set(entries.map(({ dumpId }) => dumpId));
    const head = join(folder, 'head.pgdump');
    await writeFile(head, dump.head, { mode: 0o600 });
    const jobs = `--jobs=${options.jobs ?? Math.min(4, availableParallelism())}`;
    const restore = async (as: ServerAddress, part: ReadonlySet<number>, words: readonly string[], rows = false) => {
      if (![...part].some((id) => chosen.has(id))) return;
      await using list = await writeList(new Set([...part].filter((id) => chosen.has(id))), entries);
      const args = ['--exit-on-error', '--no-password', `--dbname=${conninfo(as.database)}`, `--use-list=${list.path}`];
      if (noTablespaces) args.push('--no-tablespaces');
      await using program = await startProcess(pgRestore.path, [...args, ...words, ...(rows ? [] : [head])], {
        ...toolEnvironment(as, { direct: true }),
        signal: run.signal,
        stdout: 'tail',
        ...(rows ? { input: dump.stream() } : {}),
      });
      await program.completed();
    };
    /** Definitions and rows, then what is built from rows. */
    const restoreAll = async (
      as: ServerAddress,
      part: ReadonlySet<number>,
      words: readonly string[],
    ): Promise<number> => {
      await restore(as, part, [...words, '--section=pre-data']);
      await restore(as, part, [...words, '--section=data'], true);
      const sizeBytes = await dump.finish();
      await restore(as, part, [...words, '--section=post-data', jobs]);
      return sizeBytes;
    };

    const code = work.mayRunCode ? [] : codeIn(entries);
    if (code.length === 0) {
      const sizeBytes = await restoreAll(inside, chosen, []);
      await analyze(inside, run);
      return sizeBytes;
    }
    const parts = partsOf(entries);
    const owners = await decoded(admin, ownersIn(entries, parts), facts.encoding);
    const publics = entries.filter(({ kind, tag, owner }) => kind === 'SCHEMA' && tag === 'public' && owner !== '');
    const [ownerOfPublic] = await decoded(
      admin,
      publics.map(({ owner }) => owner),
      facts.encoding,
    );
    const several = owners.length > 1 ? [`what is of several owners (${owners.join(', ')})`] : [];
    demandNoCode(work, isSuper ? [...unreadable(entries), ...parts.beyond.map(showEntry), ...several] : code);
    await restore(inside, parts.first, ['--no-owner']);
    await using session = await connect(inside, run.signal);
    const loader = await makeLoader(admin, session, { tablespaces: noTablespaces ? [] : facts.tablespaces, onRole });
    if (loader === undefined) demandNoCode(work, code);
    const { address } = loader as Loader;
    const sizeBytes = await restoreAll(address, parts.loaded, ['--no-owner']);
    await restore(address, parts.rowSecurity, ['--no-owner']);
    await analyze(address, run);
    await closeLoader(admin, loader as Loader);
    await handOver(admin, session, loader as Loader, owners[0] ?? facts.owner, ownerOfPublic);
    await restore(inside, parts.rights, []);
    await restore(inside, parts.eventTriggers, []);
    return sizeBytes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A database without statistics answers, but slowly: nobody should find that out after a disaster. */
async function analyze(as: ServerAddress, run: Run): Promise<void> {
  await run.step('analyze', async () => {
    await using connection = await connect(as, run.signal);
    await connection.query('ANALYZE');
  });
}

/** Names in a dump are in the database's encoding, which only the server knows. */
async function decoded(admin: Connection, names: readonly string[], encoding: string): Promise<string[]> {
  if (encoding === 'SQL_ASCII') return names.map((name) => Buffer.from(name, 'latin1').toString('utf8'));
  const rows = await admin.query<{ text: string }>(
    'SELECT convert_from(bytes, $2) AS text FROM unnest($1::bytea[]) WITH ORDINALITY AS s (bytes, at) ORDER BY at',
    [names.map((name) => Buffer.from(name, 'latin1')), encoding],
  );
  return rows.map(({ text }) => text);
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
