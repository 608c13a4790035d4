import { sentenceOf } from '../../core/errors.ts';
import { notComparedIn } from '../../core/expectations.ts';
import { notMadeAgain } from '../../core/not-as-it-was.ts';
import { type BytePath, comparePaths, showPath } from '../../core/paths.ts';
import type { Problem, Run } from '../../core/run.ts';
import type { Contents } from '../source.ts';
import { parts } from './capture.ts';
import { connect, type Session } from './connection.ts';
import { packetTooSmall, restoreRefused } from './errors.ts';
import { showName } from './names.ts';
import { unquoted } from './rights.ts';
import { statementsOf } from './statements.ts';
import type { ServerAddress } from './url.ts';

interface About {
  readonly database: string;
  readonly what: string;
}

/** Loads sequences and tables with their rows; the chosen files alone where some are. */
export async function loadTables(
  address: ServerAddress,
  contents: Contents,
  run: Run,
  chosen?: ReadonlySet<string>,
): Promise<{ files: number; bytes: number }> {
  const files = (await filesOf(contents)).filter((path) => {
    const name = showPath(path);
    return name === parts.sequences || (name.startsWith(parts.tables) && (chosen?.has(name) ?? true));
  });
  let bytes = 0;
  for (const [at, path] of files.entries()) {
    run.progress({ label: 'tables', doneItems: at, totalItems: files.length, doneBytes: bytes });
    // What a file sets is for its own session, so that no file knows of another.
    await using session = await connect(address, { signal: run.signal });
    const about = { database: address.database, what: showPath(path) };
    for await (const sql of fitting(session, contents.read(path), about)) {
      bytes += sql.length;
      await session.run(sql.toString('utf8')).catch((error: unknown) => {
        throw restoreRefused({ ...about, why: sentenceOf(error) }, { cause: error });
      });
    }
  }
  return { files: files.length, bytes };
}

async function filesOf(contents: Contents): Promise<BytePath[]> {
  const files: BytePath[] = [];
  for await (const { path } of contents.entries()) files.push(path);
  return files.sort(comparePaths);
}

/** Statements that the server takes: it would close the session in the midst of a larger one (my11). */
async function* fitting(session: Session, stream: AsyncIterable<Uint8Array>, about: About): AsyncGenerator<Buffer> {
  const [limit] = await session.ask('SELECT @@max_allowed_packet n');
  const mostBytes = Number(limit?.n);
  for await (const statement of statementsOf(stream)) {
    if (statement.length >= mostBytes) throw packetTooSmall({ ...about, mostBytes, needsBytes: statement.length });
    yield statement;
  }
}

/**
 * Makes routines, views, triggers and events, which come when all rows are there. What the server does not take is named, and all else is
 * back. What is there already stays: a restore that was killed is gone on with like this.
 */
export async function loadDefinitions(address: ServerAddress, contents: Contents, run: Run): Promise<Problem[]> {
  const later = new Set<string>([parts.elsewhere, parts.routines, parts.views, parts.triggers, parts.events]);
  const files = (await filesOf(contents)).filter((path) => later.has(showPath(path)));
  const unable = new Set(notComparedIn(contents.facts).map(({ table }) => table));
  const problems: Problem[] = [];
  for (const path of files) {
    await using session = await connect(address, { signal: run.signal });
    const about = { database: address.database, what: showPath(path) };
    const waiting: { readonly settings: string; readonly create: string }[] = [];
    let settings = '';
    for await (const statement of fitting(session, contents.read(path), about)) {
      const sql = statement.toString('utf8');
      if (!/^SET /.test(sql)) waiting.push({ settings, create: sql });
      // Those of the file's beginning hold for all that follow.
      else if (waiting.length === 0 && settings === '' && sql.startsWith('SET NAMES')) await session.run(sql);
      else settings = sql;
    }
    problems.push(...(await makeAll(session, waiting, unable)));
  }
  return problems;
}

/** A view may want one that comes later: it is tried again as long as others come. */
async function makeAll(
  session: Session,
  all: readonly { readonly settings: string; readonly create: string }[],
  unable: ReadonlySet<string>,
): Promise<Problem[]> {
  let waiting = all;
  for (;;) {
    const left: { settings: string; create: string; why: string }[] = [];
    for (const one of waiting) {
      try {
        if (one.settings !== '') await session.run(one.settings);
        await session.run(one.create);
      } catch (error) {
        if (!(await session.answers())) throw error;
        if (!isThere(error)) left.push({ ...one, why: sentenceOf(error) });
      }
    }
    if (left.length === 0) return [];
    if (left.length === waiting.length) return left.map((one) => lost(one, unable));
    waiting = left;
  }
}

/** It exists already: table or view, trigger, routine, event. */
function isThere(error: unknown): boolean {
  return [1050, 1304, 1359, 1537].includes((error as { errno?: number }).errno ?? 0);
}

function lost(
  { create, why }: { readonly create: string; readonly why: string },
  unable: ReadonlySet<string>,
): Problem {
  const name = '(`(?:[^`]|``)+`|[\\w$]+)';
  const [, kind = 'object', first = '', second = first] =
    new RegExp(
      `^CREATE\\b.*?\\b(TABLE|VIEW|TRIGGER|EVENT|PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE)\\s+${name}(?:\\.${name})?`,
      'is',
    ).exec(create) ?? [];
  const what = `${kind.toLowerCase()} ${showName(unquoted(second))}`;
  if (unable.has(what)) {
    const message = `${what} asks what is not there, in the source already: it is kept in the backup and not made.`;
    return { code: 'mysql-view-broken', message };
  }
  return { code: notMadeAgain, message: `${what} could not be made again: ${why}. Everything else is back.` };
}
