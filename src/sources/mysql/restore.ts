import { sentenceOf } from '../../core/errors.ts';
import { type BytePath, comparePaths, showPath } from '../../core/paths.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { targetNotEmpty } from '../errors.ts';
import type { Contents, Restored, RestoreTarget } from '../source.ts';
import { connect, literal, quoted, type Session } from './connection.ts';
import { packetTooSmall, restoreRefused } from './errors.ts';
import { measureTables } from './measure.ts';
import { endOfStatement } from './row-text.ts';
import { parseUrl, type ServerAddress, urlOf } from './url.ts';

/** Loads everything into a database that is not there, or holds nothing; when that fails, it is as it was. */
export async function restoreMysql(
  home: ServerAddress,
  contents: Contents,
  target: RestoreTarget,
  run: Run,
): Promise<Restored> {
  const address = target.into === undefined ? home : parseUrl(target.into);
  const { database } = address;
  await using admin = await connect(address, { signal: run.signal, database: '' });
  const before = await stateOf(admin, database);
  if (before.holds !== undefined) throw targetNotEmpty({ target: `Database ${database}`, holds: before.holds });
  if (!before.exists) await admin.run(`CREATE DATABASE ${quoted(database)}${charsetOf(contents)}`);
  try {
    const loaded = await load(address, contents, run);
    await demandEqual(address, contents, run);
    return { where: urlOf(address), ...loaded, problems: [] };
  } catch (error) {
    // Nothing was there; nothing of ours stays.
    await using again = await connect(address, { signal: new AbortController().signal, database: '' });
    await again.run(`DROP DATABASE ${quoted(database)}`);
    if (before.exists) await again.run(`CREATE DATABASE ${quoted(database)}${before.charset}`);
    throw error;
  }
}

interface State {
  readonly exists: boolean;
  /** For people: `3 tables`. Absent: nothing. */
  readonly holds?: string;
  readonly charset: string;
}

export async function stateOf(admin: Session, database: string): Promise<State> {
  const [schema] = await admin.ask(
    'SELECT DEFAULT_CHARACTER_SET_NAME c, DEFAULT_COLLATION_NAME l FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
    [database],
  );
  if (schema === undefined) return { exists: false, charset: '' };
  const [held] = await admin.ask(
    `SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(database)}) t,
      (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${literal(database)}) r,
      (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${literal(database)}) e`,
  );
  const [tables, others] = [Number(held?.t), Number(held?.r) + Number(held?.e)];
  const words = [
    ...(tables > 0 ? [countOf(tables, 'table')] : []),
    ...(others > 0 ? [countOf(others, 'routine')] : []),
  ].join(' and ');
  const charset = ` CHARACTER SET ${schema.c} COLLATE ${schema.l}`;
  return { exists: true, charset, ...(words !== '' && { holds: words }) };
}

/** As the restore point says it. What does not look so is left out: it comes from a backup, and becomes words of a statement. */
function charsetOf({ facts: { charset, collation } }: Contents): string {
  const isName = (one: unknown) => typeof one === 'string' && /^\w+$/.test(one);
  return isName(charset) && isName(collation) ? ` CHARACTER SET ${charset} COLLATE ${collation}` : '';
}

async function load(address: ServerAddress, contents: Contents, run: Run): Promise<{ files: number; bytes: number }> {
  const files: BytePath[] = [];
  for await (const { path } of contents.entries()) files.push(path);
  let bytes = 0;
  for (const [at, path] of files.sort(comparePaths).entries()) {
    run.progress({ label: 'tables', doneItems: at, totalItems: files.length, doneBytes: bytes });
    await using session = await connect(address, { signal: run.signal });
    // Each of ours is for this session alone, so that no file knows of another.
    bytes += await loadFile(session, contents.read(path), { database: address.database, what: showPath(path) });
  }
  return { files: files.length, bytes };
}

async function loadFile(
  session: Session,
  stream: AsyncIterable<Uint8Array>,
  about: { readonly database: string; readonly what: string },
): Promise<number> {
  const [limit] = await session.ask('SELECT @@max_allowed_packet n');
  const mostBytes = Number(limit?.n);
  let bytes = 0;
  // A view may want one that comes later: it is made when that is there.
  let waiting: string[] = [];
  for await (const statement of statementsOf(stream)) {
    bytes += statement.length;
    // The server would close the session in the midst of it (my11).
    if (statement.length >= mostBytes) throw packetTooSmall({ ...about, mostBytes, needsBytes: statement.length });
    const sql = statement.toString('utf8');
    await session.run(sql).catch((error: unknown) => {
      if (/^CREATE\b[^\n]*\bVIEW\b/.test(sql)) waiting.push(sql);
      else throw restoreRefused({ ...about, why: sentenceOf(error) }, { cause: error });
    });
  }
  while (waiting.length > 0) {
    const left: string[] = [];
    let last: unknown;
    for (const sql of waiting)
      await session.run(sql).catch((error: unknown) => {
        left.push(sql);
        last = error;
      });
    if (left.length === waiting.length) throw restoreRefused({ ...about, why: sentenceOf(last) }, { cause: last });
    waiting = left;
  }
  return bytes;
}

const end = Buffer.from(`${endOfStatement}\n`);

/** Statements as they are written by a capture, without what only a client reads. */
export async function* statementsOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  let isHead = true;
  for await (const piece of stream) {
    held = Buffer.concat([held, piece]);
    if (isHead) {
      const at = held.indexOf(end);
      if (at < 0) continue;
      // Its lines are for a client: they say where statements end.
      held = held.subarray(at + end.length);
      isHead = false;
    }
    for (let at = held.indexOf(end); at >= 0; at = held.indexOf(end)) {
      yield held.subarray(0, at);
      held = held.subarray(at + end.length);
    }
  }
  if (held.length > 0) yield held;
}

/** my14: that statements went through is no proof. */
async function demandEqual(address: ServerAddress, { expectations }: Contents, run: Run): Promise<void> {
  const { actual } = await measureTables(address, run);
  const found = new Map(actual.tables.map((one) => [one.table, one]));
  for (const { table, rows, checksum } of expectations?.tables ?? []) {
    const have = found.get(table);
    if (have?.rows === rows && have.checksum === checksum) continue;
    const why = have === undefined ? 'it is not there afterwards' : 'it is not what it was afterwards';
    throw restoreRefused({ database: address.database, what: table, why });
  }
}
