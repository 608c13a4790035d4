import type { Problem, Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import type { Session } from './connection.ts';
import { literal, quoted } from './names.ts';

export interface State {
  readonly exists: boolean;
  /** For people: `3 tables`. Absent: nothing. */
  readonly holds?: string;
}

export async function stateOf(admin: Session, database: string): Promise<State> {
  const which = literal(database);
  const [held] = await admin.ask(
    `SELECT (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${which}) d,
      (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${which}) t,
      (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${which}) r,
      (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${which}) e`,
  );
  const [tables, routines, events] = [Number(held?.t), Number(held?.r), Number(held?.e)];
  const words = [
    ...(tables > 0 ? [countOf(tables, 'table')] : []),
    ...(routines > 0 ? [countOf(routines, 'routine')] : []),
    ...(events > 0 ? [countOf(events, 'event')] : []),
  ].join(' and ');
  return { exists: held?.d === '1', ...(words !== '' && { holds: words }) };
}

/** A name of a database that is not taken: `name` with `suffix`. */
export async function freeName(admin: Session, name: string, suffix: string): Promise<string> {
  for (let at = 0; ; at++) {
    const free = withSuffix(name, at === 0 ? suffix : `${suffix}_${at}`);
    if (!(await stateOf(admin, free)).exists) return free;
  }
}

/** MariaDB takes names of at most 64 letters. */
function withSuffix(name: string, suffix: string): string {
  return [...name].slice(0, 64 - suffix.length).join('') + suffix;
}

const mark = '__lifeboat_';

/** Of a database that a restore fills, or that holds what it replaces. */
export function suffixOf(run: Run, kind: '' | 'old_' = ''): string {
  return `${mark}${kind}${run.clock.now().toString(36)}`;
}

/** Whether a restore into `database` made the other one. */
export function isBeside(other: string, database: string): boolean {
  return other.startsWith(withSuffix(database, mark));
}

/** What restores that were killed could not remove. Another restore may be using one right now, so none is dropped: the person who reads this knows. */
export async function leftovers(admin: Session, database: string): Promise<Problem[]> {
  const prefix = withSuffix(database, mark);
  const found = await admin.ask(
    `SELECT SCHEMA_NAME n FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, ${[...prefix].length}) = ${literal(prefix)} ORDER BY 1`,
  );
  return found.map(({ n }) => {
    const message = `Database ${n} was left by a restore that did not end. If none is running: DROP DATABASE ${quoted(n ?? '')};`;
    return { code: 'restore-left-over', message };
  });
}

/**
 * Tells what a restore brought from all else, on any server: numbers that InnoDB gives each table once, which stay when it is renamed.
 * Undefined where there is none, or the account may not see them.
 */
export async function markOf(admin: Session, database: string): Promise<string | undefined> {
  const server = await serverMark(admin);
  const tables = await tableNumbers(admin, database);
  if (server === undefined || tables.length === 0) return undefined;
  return `${server}/${tables.slice(0, 50).join(',')}`;
}

/** Whether one of the tables that `mark` tells of is in the database. */
export async function hasMark(admin: Session, database: string, mark: string): Promise<boolean> {
  const [server, numbers = ''] = mark.split('/');
  if (server === undefined || server !== (await serverMark(admin))) return false;
  const marked = new Set(numbers.split(','));
  return (await tableNumbers(admin, database)).some((number) => marked.has(number));
}

/** Of a server: when its own tables were made, and where they are. */
async function serverMark(admin: Session): Promise<string | undefined> {
  const [row] = await admin.ask(
    "SELECT SHA2(CONCAT_WS('/', @@hostname, @@datadir, MIN(CREATE_TIME)), 256) s FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND CREATE_TIME IS NOT NULL HAVING COUNT(*) > 0",
  );
  return row?.s ?? undefined;
}

async function tableNumbers(admin: Session, database: string): Promise<string[]> {
  try {
    // Names there are spelled as those of files.
    const rows = await admin.ask(
      `SELECT TABLE_ID i FROM information_schema.INNODB_SYS_TABLES
       WHERE SUBSTRING_INDEX(NAME, '/', 1) = CONVERT(CONVERT(${literal(database)} USING filename) USING binary) ORDER BY TABLE_ID`,
    );
    return rows.map(({ i }) => i ?? '');
  } catch {
    return [];
  }
}
