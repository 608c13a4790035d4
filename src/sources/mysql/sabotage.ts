import type { Run } from '../../core/run.ts';
import type { Aimed, NotTried, Saboteur } from '../sabotage.ts';
import { accountsOf, createAccount, grantsOf } from './accounts.ts';
import { connectReading, tableText } from './capture.ts';
import { connect, type Session } from './connection.ts';
import { freeName } from './databases.ts';
import { definitionsOf } from './definitions.ts';
import { charsetClause, charsetOf } from './facts.ts';
import { literal, quoted, showAccount, showName } from './names.ts';
import { type Defined, listObjects, type Objects, type Table } from './objects.ts';
import { definitionWays } from './sabotage-definitions.ts';
import { rowWays } from './sabotage-rows.ts';
import type { Column, Filled, Target, Way, Whole } from './sabotage-way.ts';
import { patternOf } from './sandbox-server.ts';
import { headOf, statementsOf } from './statements.ts';
import { parseUrl, type ServerAddress, withDatabase } from './url.ts';

/** What the broken copy needs. */
interface Place {
  readonly whole: Whole;
  /** In the copy that is broken. */
  readonly broken: Session;
  readonly name: string;
  readonly where: string;
  readonly address: ServerAddress;
  readonly run: Run;
}

/** Breaks one copy of the restored database; what was hurt in it is made anew from that each time. */
export async function openMysqlSaboteur(where: string, run: Run): Promise<Saboteur> {
  const address = parseUrl(where);
  const { database } = address;
  const held = new AsyncDisposableStack();
  try {
    const session = held.use(await connectReading(address, run.signal));
    const whole = await lookAt(session, database);
    const name = await freeName(session, database, '__sabotage');
    const charset = await charsetOf(session, database);
    await session.run(`CREATE DATABASE ${quoted(name)}${charset === undefined ? '' : charsetClause(charset)}`);
    held.defer(async () => session.run(`DROP DATABASE IF EXISTS ${quoted(name)}`));
    const broken = held.use(await connect(withDatabase(address, name), { signal: run.signal }));
    const place = { whole, broken, name, where, address, run };
    await broken.run('SET foreign_key_checks = 0');
    for (const { create, name: sequence, next } of whole.objects.sequences) {
      await broken.run(create);
      await broken.run(`SELECT SETVAL(${quoted(sequence)}, ${next}, 0)`);
    }
    for (const table of whole.objects.tables) await makeTable(place, table);
    await makeEach(broken, definedIn(whole.objects));
    await makeAccounts(place);
    return {
      sabotages: [...rowWays, ...definitionWays].map((way) => ({
        ...{ name: way.name, harm: way.harm },
        aim: () => aim(place, way),
      })),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  } catch (error) {
    await held.disposeAsync();
    throw error;
  }
}

async function lookAt(session: Session, database: string): Promise<Whole> {
  const objects = await listObjects(session, database);
  const all = await columnsOf(session, database);
  const filled: Filled[] = [];
  for (const table of objects.tables) {
    const [row] = await session.ask(`SELECT COUNT(*) c FROM ${quoted(table.name)}`);
    const own = all.get(table.name) ?? [];
    const columns = own.filter(({ name }) => table.columns.some((one) => one.name === name));
    if (Number(row?.c) > 0) filled.push({ table, columns, rows: Number(row?.c) });
  }
  filled.sort((a, b) => b.rows - a.rows);
  return { session, database, objects, filled, accounts: (await accountsOf(session, database, objects)) ?? [] };
}

async function columnsOf(session: Session, database: string): Promise<Map<string, Column[]>> {
  const rows = await session.ask(
    `SELECT TABLE_NAME t, COLUMN_NAME n, DATA_TYPE d, COLUMN_TYPE f, IS_NULLABLE u, COLUMN_KEY k, COLUMN_DEFAULT v, CHARACTER_SET_NAME c
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${literal(database)} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  );
  const all = new Map<string, Column[]>();
  for (const { t, n, d, f, u, k, v, c } of rows) {
    const column = {
      ...{ name: n ?? '', type: (d ?? '').toLowerCase(), full: f ?? '', nullable: u === 'YES', inKey: k !== '' },
      ...{ hasDefault: v !== null && v !== 'NULL', charset: c ?? '' },
    };
    all.set(t ?? '', [...(all.get(t ?? '') ?? []), column]);
  }
  return all;
}

async function aim(place: Place, way: Way): Promise<Aimed | NotTried> {
  const { whole, name, where } = place;
  const candidates = await way.find(whole);
  for (const target of candidates) {
    const before = await look(place, target);
    const strike = () => strikeAt(place, target);
    // Not each lets itself be hurt: a key, a check or a view may stand in the way. So it is tried first.
    const yields = await strike().then(
      () => true,
      () => false,
    );
    const changed = yields && (await look(place, target)) !== before;
    await mend(place, target);
    if (!changed) continue;
    return {
      where: where.replace(/(\/\/[^/?]*\/)[^?]*/, (_, server) => server + encodeURIComponent(name)),
      what: target.what ?? target.name,
      names: [target.name],
      look: () => look(place, target),
      strike,
      [Symbol.asyncDispose]: () => mend(place, target),
    };
  }
  return { reason: candidates.length === 0 ? way.absent : `${way.absent} that could be hurt like this` };
}

/** The table's own triggers rest meanwhile, and are there again. */
async function strikeAt({ whole, broken, name }: Place, { strike, table }: Target): Promise<void> {
  const triggers = whole.objects.triggers.filter(({ of }) => of === table?.name);
  const isOfRows = table !== undefined && /^(UPDATE|INSERT|DELETE)\b/.test(strike);
  const sql = strike
    .replaceAll('%database%', () => quoted(name))
    .replaceAll('%granted%', () => (strike.includes('%granted%.*') ? patternOf(name) : quoted(name)));
  for (const trigger of isOfRows ? triggers : []) await broken.run(`DROP TRIGGER ${quoted(trigger.name)}`);
  try {
    await broken.run(sql);
  } finally {
    if (isOfRows) await makeEach(broken, triggers);
  }
}

/** Brings back all that the strike may have changed. */
async function mend(place: Place, { table, undo }: Target): Promise<void> {
  const { whole, broken, name } = place;
  const charset = await charsetOf(whole.session, whole.database);
  if (charset !== undefined) await broken.run(`ALTER DATABASE ${quoted(name)}${charsetClause(charset)}`);
  for (const sql of undo ?? []) await broken.run(sql.replaceAll('%database%', () => quoted(name)));
  // Keys of other tables follow what happens to one.
  const isOther = await differing(place);
  for (const one of whole.objects.tables) {
    if (one.name !== table?.name && !isOther(`table ${showName(one.name)}`)) continue;
    await broken.run(`DROP TABLE IF EXISTS ${quoted(one.name)}`);
    await makeTable(place, one);
  }
  const stillOther = await differing(place);
  const defined = definedIn(whole.objects).filter(({ kind, name }) => stillOther(`${kind} ${showName(name)}`));
  for (const one of [...defined].reverse())
    await broken.run(`DROP ${one.kind.toUpperCase()} IF EXISTS ${quoted(one.name)}`);
  await makeEach(broken, defined);
  await makeAccounts(place);
}

/** Which definitions of the broken copy are not the whole one's. */
async function differing({ whole, broken, name }: Place): Promise<(what: string) => boolean> {
  const [was, is] = [whole.objects, await listObjects(broken, name)].map(
    (objects) => new Map(definitionsOf(objects).map(({ what, hash }) => [what, hash])),
  );
  return (what) => was!.get(what) !== is!.get(what);
}

/** All that is about to change, as a text. */
async function look({ whole, broken, name }: Place, { table }: Target): Promise<string> {
  const definitions = definitionsOf(await listObjects(broken, name));
  const rows = table === undefined ? [] : await broken.ask(`CHECKSUM TABLE ${quoted(table.name)}`);
  const values = await Promise.all(
    whole.objects.sequences.map((one) => broken.ask(`SELECT next_not_cached_value v FROM ${quoted(one.name)}`)),
  );
  const rights: unknown[] = [];
  for (const one of whole.accounts)
    rights.push(await broken.ask(`SHOW GRANTS FOR ${showAccount(one)}`).catch(() => 'no such account'));
  return JSON.stringify([definitions, rows, values, rights, await charsetOf(broken, name)]);
}

async function makeTable({ whole, broken }: Place, table: Table): Promise<void> {
  for await (const sql of statementsOf(tableText(whole.session, table, headOf('$$sabotage'), [])))
    await broken.run(sql.toString('utf8'));
  await broken.run("SET sql_mode = ''");
}

/** In an order in which each finds what it wants. */
function definedIn({ elsewhere, routines, views, triggers, events }: Objects): Defined[] {
  return [...elsewhere, ...routines, ...views, ...triggers, ...events];
}

async function makeEach(session: Session, defined: readonly Defined[]): Promise<void> {
  for (const { settings, create } of defined) {
    await session.run(settings);
    await session.run(create);
  }
  await session.run("SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00'");
}

/** Rights go by the name of a database: the broken copy has the whole one's. */
async function makeAccounts({ whole, broken, name }: Place): Promise<void> {
  for (const account of whole.accounts) await broken.run(createAccount(account));
  for (const database of [whole.database, name])
    for (const grant of whole.accounts.flatMap((one) => grantsOf(one, database))) await broken.run(grant);
}
