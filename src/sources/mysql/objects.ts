import type { Row, Session } from './connection.ts';
import { literal, quoted } from './names.ts';

/** What a database consists of, with what makes each again. */
export interface Objects {
  readonly tables: readonly Table[];
  /** Sequences, with the value that comes next. */
  readonly sequences: readonly { readonly name: string; readonly create: string; readonly next: string }[];
  /** Tables whose rows are kept by another server, or by other tables. */
  readonly elsewhere: readonly Defined[];
  /** Views that ask what is not there: they cannot be made again. */
  readonly broken: readonly string[];
  /** What comes after the rows, in this order; views may want others that come later. */
  readonly routines: readonly Defined[];
  readonly views: readonly Defined[];
  readonly triggers: readonly Defined[];
  readonly events: readonly Defined[];
}

export interface Table {
  readonly name: string;
  readonly create: string;
  readonly engine: string;
  /** Rows of the past are kept. */
  readonly versioned: boolean;
  readonly columns: readonly Column[];
}

export interface Column {
  readonly name: string;
  readonly type: string;
  /** Absent where it holds no text. */
  readonly charset?: string;
}

export interface Defined {
  readonly kind: string;
  readonly name: string;
  /** The table of a trigger. */
  readonly of?: string;
  readonly create: string;
  /** Before it is made, and what it was made under. */
  readonly settings: string;
}

/** To read these is to read elsewhere, and to restore into them would be to write there. */
const withoutRows = /^(MRG_MyISAM|FEDERATED|CONNECT|SPIDER|BLACKHOLE|S3|OQGRAPH|SPHINX)$/i;

/** Rows of the present alone are in a table; `ROW START` and `ROW END` say since when and until when. */
const periodOf = /^ROW (START|END)$/i;

export async function listObjects(session: Session, database: string): Promise<Objects> {
  const found = await session.ask(
    `SELECT TABLE_NAME n, TABLE_TYPE t, ENGINE e FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(database)} ORDER BY TABLE_NAME`,
  );
  const columns = await columnsOf(session, database);
  const tables: Table[] = [];
  const sequences: { name: string; create: string; next: string }[] = [];
  const views: Defined[] = [];
  const elsewhere: Defined[] = [];
  for (const row of found) {
    const name = row.n ?? '';
    if (row.t === 'VIEW' || row.t === 'SYSTEM VIEW') views.push(await viewOf(session, name));
    else if (row.t === 'SEQUENCE') sequences.push(await sequenceOf(session, name));
    else {
      const [shown] = await session.ask(`SHOW CREATE TABLE ${quoted(name)}`);
      if (withoutRows.test(row.e ?? '')) {
        elsewhere.push({ kind: 'table', name, create: shown?.['Create Table'] ?? '', settings: "SET sql_mode = ''" });
        continue;
      }
      const versioned = row.t === 'SYSTEM VERSIONED';
      const own = columns.get(name) ?? [];
      tables.push({
        name,
        create: withoutDatabase(shown?.['Create Table'] ?? '', database),
        engine: row.e ?? '',
        versioned,
        columns: own,
      });
    }
  }
  return {
    ...{ tables, sequences, elsewhere, views: inOrder(views) },
    broken: views.filter(({ name }) => !columns.has(name)).map(({ name }) => name),
    routines: await routinesOf(session, database),
    triggers: await triggersOf(session, database),
    events: await eventsOf(session, database),
  };
}

/** Each after those that it names: a client makes them one after another. */
function inOrder(views: readonly Defined[]): Defined[] {
  const ordered = new Set<Defined>();
  const visit = (view: Defined, way: readonly Defined[]) => {
    if (ordered.has(view) || way.includes(view)) return;
    for (const other of views)
      if (other !== view && view.create.includes(quoted(other.name))) visit(other, [...way, view]);
    ordered.add(view);
  };
  for (const view of views) visit(view, []);
  return [...ordered];
}

/** A default names its sequence with its database, and would draw from that one's in whatever database it is (my5). */
function withoutDatabase(create: string, database: string): string {
  return create.replaceAll(` DEFAULT nextval(${quoted(database)}.`, ' DEFAULT nextval(');
}

async function columnsOf(session: Session, database: string): Promise<Map<string, Column[]>> {
  const rows = await session.ask(
    `SELECT TABLE_NAME t, COLUMN_NAME n, DATA_TYPE d, EXTRA x, GENERATION_EXPRESSION g, CHARACTER_SET_NAME c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${literal(database)} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  );
  const all = new Map<string, Column[]>();
  for (const { t, n, d, x, g, c } of rows) {
    const isGenerated = /\b(VIRTUAL|STORED|PERSISTENT) GENERATED\b|^(VIRTUAL|PERSISTENT|STORED)\b/i.test(x ?? '');
    if (isGenerated && !periodOf.test(g ?? '')) continue;
    const table = all.get(t ?? '') ?? [];
    table.push({ name: n ?? '', type: (d ?? '').toLowerCase(), ...(c !== null && c !== undefined && { charset: c }) });
    all.set(t ?? '', table);
  }
  return all;
}

async function sequenceOf(session: Session, name: string) {
  const [shown] = await session.ask(`SHOW CREATE SEQUENCE ${quoted(name)}`);
  const [value] = await session.ask(`SELECT next_not_cached_value v FROM ${quoted(name)}`);
  return { name, create: shown?.['Create Table'] ?? '', next: value?.v ?? '1' };
}

async function viewOf(session: Session, name: string): Promise<Defined> {
  const [row = {}] = await session.ask(`SHOW CREATE VIEW ${quoted(name)}`);
  return { kind: 'view', name, create: row['Create View'] ?? '', settings: settingsOf(row) };
}

async function routinesOf(session: Session, database: string): Promise<Defined[]> {
  const found = await session.ask(
    // A package's body wants the package.
    `SELECT ROUTINE_TYPE t, ROUTINE_NAME n FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${literal(database)} ORDER BY ROUTINE_TYPE = 'PACKAGE BODY', ROUTINE_TYPE, ROUTINE_NAME`,
  );
  const all: Defined[] = [];
  for (const { t, n } of found) {
    const [row = {}] = await session.ask(`SHOW CREATE ${t} ${quoted(n ?? '')}`);
    const create = Object.entries(row).find(([key]) => key.startsWith('Create '))?.[1] ?? '';
    all.push({ kind: (t ?? '').toLowerCase(), name: n ?? '', create, settings: settingsOf(row) });
  }
  return all;
}

async function triggersOf(session: Session, database: string): Promise<Defined[]> {
  const found = await session.ask(
    `SELECT TRIGGER_NAME n, EVENT_OBJECT_TABLE o FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${literal(database)} ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`,
  );
  const all: Defined[] = [];
  for (const { n, o } of found) {
    const [row = {}] = await session.ask(`SHOW CREATE TRIGGER ${quoted(n ?? '')}`);
    all.push({
      ...{ kind: 'trigger', name: n ?? '', of: o ?? '' },
      create: row['SQL Original Statement'] ?? '',
      settings: settingsOf(row),
    });
  }
  return all;
}

async function eventsOf(session: Session, database: string): Promise<Defined[]> {
  const found = await session.ask(
    `SELECT EVENT_NAME n FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${literal(database)} ORDER BY EVENT_NAME`,
  );
  const all: Defined[] = [];
  for (const { n } of found) {
    const [row = {}] = await session.ask(`SHOW CREATE EVENT ${quoted(n ?? '')}`);
    const zone = row.time_zone === undefined || row.time_zone === null ? '' : `, time_zone = ${literal(row.time_zone)}`;
    all.push({ kind: 'event', name: n ?? '', create: row['Create Event'] ?? '', settings: settingsOf(row) + zone });
  }
  return all;
}

/** Definitions mean what they mean under the mode and the collation that they were made under. */
function settingsOf(row: Row): string {
  const mode = row.sql_mode ?? '';
  const collation = row.collation_connection ?? 'utf8mb4_general_ci';
  return `SET sql_mode = '${mode.replaceAll("'", "''")}', collation_connection = ${collation}`;
}
