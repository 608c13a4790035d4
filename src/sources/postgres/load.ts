import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NotCompared } from '../../core/expectations.ts';
import type { Problem } from '../../core/run.ts';
import { toolFailed } from '../../process/errors.ts';
import type { Tool } from '../../process/find-tool.ts';
import { startProcess } from '../../process/start.ts';
import { analyze } from './analyze.ts';
import { dumpPath } from './capture.ts';
import { connect, quoteText } from './connection.ts';
import { codeIn, showEntry, unreadable } from './dump-code.ts';
import { decoded } from './dump-names.ts';
import { ownersIn, partsOf } from './dump-parts.ts';
import { DumpBroken, type DumpReader, dumpReader } from './dump-reader.ts';
import { type DumpEntry, DumpUnknown } from './dump-toc.ts';
import { dumpBroken, dumpRunsCode } from './errors.ts';
import { giveAway } from './give-away.ts';
import { closeLoader, handOver, type Loader, makeLoader } from './loader.ts';
import { areThere, lost, type MadeAgain, makeAgain, type Refused, searchPathOf, withoutChecks } from './make-again.ts';
import { refusedEntries, saidBytes } from './refused-entries.ts';
import type { Restoring } from './restore.ts';
import { findClient } from './tools.ts';
import { type ServerAddress, toolEnvironment } from './url.ts';

const isThere = / already exists$/;

/** Picks entries of the dump, by their number. */
type Choose = (entries: readonly DumpEntry[]) => ReadonlySet<number>;

export interface LoadOptions {
  readonly noTablespaces: boolean;
  /** The URL's role is a superuser. */
  readonly isSuper: boolean;
  /** See `makeLoader`. */
  readonly onRole: (role: string) => void;
  /** The database has not its name yet, and will have it: an extension may be bound to that, so what the server refuses can wait. */
  readonly mayPutOff: boolean;
}

export interface Loaded extends MadeAgain {
  /** Of the dump. */
  readonly sizeBytes: number;
  /** Entries that are to be loaded once the database has its name. */
  readonly putOff: ReadonlySet<number>;
}

/**
 * Loads the dump into an empty database, in passes. Rows come from the stream, in its order, nothing is stored on the way.
 * Definitions, indexes, constraints and triggers need only its head, a small file, from which pg_restore builds several at a
 * time. Before those that need rows the stream was read to its end, where its SHA-256 is compared. One object that cannot be
 * made again does not keep the others from it: it is tried once more, and named (make-again.ts). Rows that cannot be loaded end it.
 *
 * Code of the dump is not a superuser's to run: where there is some, a role of its own loads it (`makeLoader`), and the superuser
 * makes only what runs nothing, before that role comes and after it has gone.
 */
export async function loadDump(
  work: Restoring,
  inside: ServerAddress,
  choose: Choose | undefined,
  { noTablespaces, isSuper, onRole, mayPutOff }: LoadOptions,
): Promise<Loaded> {
  const { options, run, admin, facts } = work;
  const pgRestore = await restoreProgram(work);
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-restore-'));
  const problems: Problem[] = [];
  const unfilled: NotCompared[] = [];
  const putOff = new Set<number>();
  try {
    await using dump = await openDump(work);
    const { entries } = dump;
    const chosen = choose?.(entries) ?? new Set(entries.map(({ dumpId }) => dumpId));
    const head = join(folder, 'head.pgdump');
    await writeFile(head, dump.head, { mode: 0o600 });
    const jobs = `--jobs=${options.jobs ?? Math.min(4, availableParallelism())}`;
    const restore = async (as: ServerAddress, part: ReadonlySet<number>, words: readonly string[], rows = false) => {
      const asked = new Set([...part].filter((id) => chosen.has(id)));
      if (asked.size === 0) return [];
      await using list = await writeList(asked, entries);
      // It says which entry failed only when it says everything.
      const args = ['--verbose', '--no-password', `--dbname=${conninfo(as.database)}`, `--use-list=${list.path}`];
      if (noTablespaces) args.push('--no-tablespaces');
      await using program = await startProcess(pgRestore.path, [...args, ...words, ...(rows ? [] : [head])], {
        ...toolEnvironment(as, { direct: true }),
        signal: run.signal,
        stdout: 'tail',
        tailBytes: saidBytes,
        ...(rows ? { input: dump.stream() } : {}),
      });
      const failed = await refusedEntries(program);
      return entries.flatMap((entry) => {
        const why = failed.get(entry.dumpId);
        return why === undefined ? [] : [{ entry, why }];
      });
    };
    const againOrLater = async (as: ServerAddress, failed: readonly Refused[], path = 'pg_catalog') => {
      if (failed.length === 0) return;
      // Where an extension has to wait, so has what needs it, and nothing says what that is.
      if (mayPutOff && (putOff.size > 0 || failed.some(({ entry }) => entry.kind === 'EXTENSION'))) {
        for (const { entry } of failed) putOff.add(entry.dumpId);
        return;
      }
      await using session = await connect(as, run.signal);
      const { encoding } = facts;
      for (const { entry, why } of failed.filter(({ isOurs }) => isOurs))
        problems.push(...(await giveAway(session, entry, { why, encoding })));
      const lacking = failed.filter(({ isOurs }) => !isOurs);
      const made = await makeAgain(session, lacking, { encoding, path });
      problems.push(...made.problems);
      unfilled.push(...made.unfilled);
    };
    /** Definitions and rows, then what is built from rows. */
    const restoreAll = async (
      as: ServerAddress,
      part: ReadonlySet<number>,
      words: readonly string[],
      mayRunCode: boolean,
    ): Promise<number> => {
      const path = searchPathOf(facts, mayRunCode);
      const undefinedYet = await restore(as, part, [...words, '--section=pre-data']);
      // What it needed may have come after it. What is said of an object pg_restore passes over in silence without that object.
      const ids = new Set(undefinedYet.map(({ entry }) => entry.dumpId));
      const isAside = ({ entry: { kind, dependsOn } }: Refused) =>
        /^(ACL|COMMENT|SECURITY LABEL)$/.test(kind) && !dependsOn.some((id) => ids.has(id));
      const aside = undefinedYet.filter(isAside);
      for (const { entry } of aside) ids.delete(entry.dumpId);
      const refusedAgain = await restore(as, ids, [...words, '--section=pre-data']);
      // It was made, and only giving it to its owner failed: that it is there now is not why.
      const firstly = new Map(undefinedYet.map(({ entry, why }) => [entry.dumpId, why]));
      const asItWas = ({ entry, why }: Refused): Refused => {
        const first = firstly.get(entry.dumpId) ?? why;
        if (!isThere.test(why)) return { entry, why };
        return { entry, why: first, isOurs: !isThere.test(first) };
      };
      const lacking = refusedAgain.map(asItWas);
      await againOrLater(as, [...aside, ...lacking]);
      // Rights that were given while it belonged to another were that one's to give. They are passed over in silence without their object.
      const given = new Set(lacking.filter(({ isOurs }) => isOurs).map(({ entry }) => entry.dumpId));
      const rights = entries.filter(({ kind, dependsOn }) => kind === 'ACL' && dependsOn.some((id) => given.has(id)));
      for (const { dumpId } of rights) given.add(dumpId);
      await restore(as, given, [...words, '--section=pre-data']);
      const refused = await restore(as, part, [...words, '--section=data'], true);
      const sizeBytes = await dump.finish();
      if (putOff.size > 0) for (const { entry } of refused) putOff.add(entry.dumpId);
      else if (refused.length > 0) problems.push(...(await loadRefused(work, as, refused, path)));
      const refusedAtOnce = await restore(as, part, [...words, '--section=post-data', jobs]);
      // Of several at a time each talks into the other's words: one after the other, each says why itself.
      const left = new Set(refusedAtOnce.map(({ entry }) => entry.dumpId));
      await againOrLater(as, await restore(as, left, [...words, '--section=post-data']), path);
      return sizeBytes;
    };
    /** What runs nothing, by the superuser: as the dump says, or not at all. */
    const restoreRights = async (part: ReadonlySet<number>) => againOrLater(inside, await restore(inside, part, []));

    const code = work.mayRunCode ? [] : codeIn(entries);
    if (code.length === 0) {
      const sizeBytes = await restoreAll(inside, chosen, [], work.mayRunCode);
      problems.push(...(await analyze(inside, searchPathOf(facts, work.mayRunCode), run)));
      return { sizeBytes, problems, unfilled, putOff };
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
    await againOrLater(inside, await restore(inside, parts.first, ['--no-owner']));
    await using session = await connect(inside, run.signal);
    const loader = await makeLoader(admin, session, { tablespaces: noTablespaces ? [] : facts.tablespaces, onRole });
    if (loader === undefined) demandNoCode(work, code);
    const { address } = loader as Loader;
    const sizeBytes = await restoreAll(address, parts.loaded, ['--no-owner'], true);
    await againOrLater(address, await restore(address, parts.rowSecurity, ['--no-owner']));
    problems.push(...(await analyze(address, searchPathOf(facts, true), run)));
    await closeLoader(admin, loader as Loader);
    await handOver(admin, session, loader as Loader, owners[0] ?? facts.owner, ownerOfPublic);
    await restoreRights(parts.rights);
    await restoreRights(parts.eventTriggers);
    return { sizeBytes, problems, unfilled, putOff };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Loads rows that the definitions did not let in, from a second reading of the dump: with the database's own search path, and the
 * tables' checks put back after the rows.
 */
async function loadRefused(
  work: Restoring,
  as: ServerAddress,
  refused: readonly Refused[],
  path: string,
): Promise<Problem[]> {
  const { facts, run } = work;
  await using session = await connect(as, run.signal);
  const spelled = await decoded(
    session,
    refused.flatMap(({ entry }) => [entry.namespace, entry.tag]),
    facts.encoding,
  );
  const tables = refused.map((_, at) => [spelled[at * 2] ?? '', spelled[at * 2 + 1] ?? ''] as const);
  const isThere = await areThere(session, tables);
  // That their table could not be made was said: what it is is one more object that is not back.
  const homeless = refused.flatMap(({ entry, why }, at) => (isThere[at] ? [] : [lost(showEntry(entry), why)]));
  const ids = new Set(refused.flatMap(({ entry }, at) => (isThere[at] ? [entry.dumpId] : [])));
  if (ids.size === 0) return homeless;
  const checks = await withoutChecks(
    session,
    tables.filter((_, at) => isThere[at]),
    path,
  );
  await using dump = await openDump(work);
  await loadRows(work, as, dump, ids, async function* (rows) {
    let first = true;
    for await (const bytes of rows) {
      yield first ? withSearchPath(bytes, path) : bytes;
      first = false;
    }
  });
  // While its session is open.
  return [...homeless, ...(await checks.restore())];
}

/**
 * Loads rows of the dump as a script, where pg_restore alone would not do; `around` may put words before, among and after them.
 * The dump was read to its end, and compared, before what comes after. @returns the size of the dump
 */
export async function loadRows(
  work: Restoring,
  as: ServerAddress,
  dump: OpenDump,
  chosen: ReadonlySet<number>,
  around: (rows: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): Promise<number> {
  const { version, options, run } = work;
  const psql = await findClient('psql', version, { ...options.clients, signal: run.signal });
  const pgRestore = await restoreProgram(work);
  await using list = await writeList(chosen, dump.entries);
  await using rows = await startProcess(pgRestore.path, ['--data-only', `--use-list=${list.path}`, '--file=-'], {
    signal: run.signal,
    input: dump.stream(),
  });
  let sizeBytes = 0;
  async function* sound(): AsyncGenerator<Uint8Array> {
    let end = '';
    for await (const bytes of rows.output()) {
      end = (end + Buffer.from(bytes.subarray(-256)).toString('latin1')).slice(-256);
      yield bytes;
    }
    // What is cut off must not be committed in the place of the rows that were there.
    if (!end.includes(lastWords)) throw toolFailed({ tool: rows.tool, how: 'its script has no end', said: '' });
    sizeBytes = await dump.finish();
  }
  const args = ['--no-psqlrc', '--quiet', '--no-password', '--output=/dev/null', '--set=ON_ERROR_STOP=1'];
  await using load = await startProcess(psql.path, args, {
    ...toolEnvironment(as, { direct: true }),
    signal: run.signal,
    input: around(sound()),
    stdout: 'tail',
  });
  await load.completed();
  return sizeBytes;
}

/** With which pg_restore's script ends, in a remark. */
const lastWords = 'PostgreSQL database dump complete';

/** What that script begins with; rows come after. */
function withSearchPath(bytes: Uint8Array, path: string): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const ours = Buffer.from(`SELECT pg_catalog.set_config('search_path', ${quoteText(path)}, false);`, 'utf8').toString(
    'latin1',
  );
  return Buffer.from(
    text.replace("SELECT pg_catalog.set_config('search_path', '', false);", () => ours),
    'latin1',
  );
}

/** @throws `postgres-dump-runs-code` */
export function demandNoCode({ mayRunCode, address, facts }: Restoring, code: readonly string[]): void {
  if (mayRunCode || code.length === 0) return;
  const rest = code.length > 3 ? `, and ${code.length - 3} more` : '';
  throw dumpRunsCode({ database: facts.database, user: address.user, what: code.slice(0, 3).join(', ') + rest });
}

/** A client that understands both the dump and the server. */
async function restoreProgram({ facts, version, options, run }: Restoring): Promise<Tool> {
  const dumpTool = { text: facts.dumpToolVersion, major: facts.dumpToolMajor };
  return findClient('pg_restore', dumpTool.major > version.major ? dumpTool : version, {
    ...options.clients,
    signal: run.signal,
  });
}

/** A list as `pg_restore --list` prints it, of which only the number before the semicolon counts. In the dump's own order. */
async function writeList(
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

export async function openDump(work: Pick<Restoring, 'contents' | 'facts' | 'run'>): Promise<OpenDump> {
  const { contents, facts, run } = work;
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
