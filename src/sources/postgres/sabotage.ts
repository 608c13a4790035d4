import type { Run } from '../../core/run.ts';
import type { Aimed, NotTried, Saboteur } from '../sabotage.ts';
import { type Connection, connect, quoteName, quoteText } from './connection.ts';
import { dropDatabase, freeName } from './databases.ts';
import { serverVersionOf } from './facts.ts';
import { definitionWays } from './sabotage-definitions.ts';
import { rowWays } from './sabotage-rows.ts';
import { storageWays } from './sabotage-storage.ts';
import type { Target, Way } from './sabotage-way.ts';
import type { ServerVersion } from './tools.ts';
import { parseUrl, type ServerAddress, withDatabase } from './url.ts';

/** Breaks copies of the restored database, each made anew from it. */
export async function openPostgresSaboteur(where: string, run: Run): Promise<Saboteur> {
  const address = parseUrl(where);
  const admin = await connect(withDatabase(address, 'postgres'), run.signal);
  const version = await serverVersionOf(admin);
  const place = { admin, version, where, address, run };
  const sabotages = [...rowWays, ...definitionWays, ...storageWays].map(({ name, harm, find, absent }) => ({
    ...{ name, harm },
    aim: () => aim(place, { name, harm, find, absent }),
  }));
  return { sabotages, [Symbol.asyncDispose]: () => admin.close() };
}

interface Place {
  readonly admin: Connection;
  readonly version: ServerVersion;
  readonly where: string;
  /** Of the restored database. */
  readonly address: ServerAddress;
  readonly run: Run;
}

async function aim(place: Place, way: Way): Promise<Aimed | NotTried> {
  const { admin, version, where, address, run } = place;
  const candidates = await targetsOf(place, way);
  if (candidates.length === 0) return { reason: way.absent };
  const name = await freeName(admin, address.database, '__sabotage');
  await copyDatabase(admin, version, address.database, name);
  const broken = withDatabase(address, name);
  const remove = async () => {
    // A template cannot be dropped.
    await admin.query('UPDATE pg_database SET datistemplate = false WHERE datname = $1', [name]);
    await dropDatabase(admin, name, version);
  };
  try {
    const target = await firstThatYields(broken, candidates, run);
    if (target === undefined) {
      await remove();
      return { reason: `${way.absent} that could be hurt like this` };
    }
    const session = () => (target.fromOutside ? connect(admin.address, run.signal) : connect(broken, run.signal));
    const say = (sql: string) =>
      sql.replaceAll('%database%', () => quoteName(name)).replaceAll('%base%', `base/${oidOf}`);
    const oidOf = await oidOfDatabase(admin, name);
    return {
      where: where.replace(/(\/\/[^/?]*\/)[^?]*/, (_, server) => server + encodeURIComponent(name)),
      what: target.what ?? target.name,
      names: [target.name],
      async look() {
        await using connection = await session();
        const [seen] = await connection.query(say(target.look ?? catalogLook));
        return JSON.stringify(seen);
      },
      async strike() {
        await using connection = await session();
        if (!target.fromOutside) await connection.query(unhindered);
        await connection.query(say(target.strike));
      },
      async [Symbol.asyncDispose]() {
        await remove();
        if (target.undo !== undefined) await admin.query(target.undo);
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Neither triggers nor foreign keys keep a saboteur from anything, and who wrote them cannot make him wait. */
const unhindered = "SET session_replication_role = replica; SET statement_timeout = '60s'";

async function targetsOf({ address, run }: Place, { find }: Way): Promise<Target[]> {
  await using connection = await connect(address, run.signal);
  return await connection.query<Target>(`SELECT * FROM (${find}) found LIMIT 40`);
}

/** Tried in a transaction that is taken back, where that is possible. */
async function firstThatYields(
  broken: ServerAddress,
  candidates: readonly Target[],
  run: Run,
): Promise<Target | undefined> {
  const [best] = candidates;
  if (best?.fromOutside || best?.lasts) return best;
  await using connection = await connect(broken, run.signal);
  await connection.query(unhindered);
  for (const target of candidates) {
    await connection.query('BEGIN');
    try {
      const changed = await connection.query(target.strike.replaceAll('%database%', () => quoteName(broken.database)));
      if (!/\bRETURNING \S+$/.test(target.strike) || changed.length > 0) return target;
    } catch {
      // A key, a check or a view stands in the way: another may not have one.
      run.signal.throwIfAborted();
    } finally {
      await connection.query('ROLLBACK');
    }
  }
  return undefined;
}

/** With its owner, rights, settings and comment, which a template does not hand on. */
async function copyDatabase(admin: Connection, version: ServerVersion, from: string, to: string): Promise<void> {
  // As files: then no page of it is in the server's memory.
  const how = version.major >= 15 ? ' STRATEGY file_copy' : '';
  await admin.query(`CREATE DATABASE ${quoteName(to)} TEMPLATE ${quoteName(from)}${how}`);
  const [was, is] = [from, to].map((name) => `(SELECT oid FROM pg_database WHERE datname = ${quoteText(name)})`);
  const same = ['datdba', 'datacl', 'datconnlimit', 'datistemplate'].join(', ');
  await admin.query(`UPDATE pg_database SET (${same}) = (SELECT ${same} FROM pg_database WHERE oid = ${was}) WHERE oid = ${is};
    INSERT INTO pg_db_role_setting SELECT ${is}, setrole, setconfig FROM pg_db_role_setting WHERE setdatabase = ${was};
    INSERT INTO pg_shdescription SELECT ${is}, classoid, description FROM pg_shdescription
      WHERE objoid = ${was} AND classoid = 'pg_database'::regclass`);
}

async function oidOfDatabase(admin: Connection, name: string): Promise<string> {
  const [found] = await admin.query<{ oid: string }>('SELECT oid::text FROM pg_database WHERE datname = $1', [name]);
  return found?.oid ?? '';
}

const catalogs = [
  ...[
    'attrdef',
    'attribute',
    'auth_members',
    'authid',
    'cast',
    'collation',
    'constraint',
    'db_role_setting',
    'default_acl',
  ],
  ...['description', 'enum', 'event_trigger', 'extension', 'index', 'inherits', 'largeobject', 'largeobject_metadata'],
  ...['namespace', 'partitioned_table', 'policy', 'proc', 'publication', 'publication_rel', 'rewrite', 'sequence'],
  ...['shdescription', 'statistic_ext', 'trigger', 'ts_config', 'type'],
];
/** What a server counts for itself is no change. */
const counted = [
  ...['relpages', 'reltuples', 'relallvisible', 'relallfrozen', 'relfrozenxid', 'relminmxid', 'relfilenode'],
  ...['datfrozenxid', 'datminmxid'],
];
/** One number over every definition, right, role and setting. */
const catalogLook = `SELECT md5(string_agg(seen, ',' ORDER BY catalog)) AS seen FROM (${[
  ...catalogs.map((name) => [name, 't::text', `pg_catalog.pg_${name}`]),
  ...['class', 'database'].map((name) => [
    name,
    `(to_jsonb(t) - '{${counted.join(',')}}'::text[])::text`,
    `pg_catalog.pg_${name}`,
  ]),
]
  .map(
    ([name, text, table]) =>
      `SELECT '${name}' AS catalog, sum(hashtextextended(${text}, 0))::text AS seen FROM ${table} t`,
  )
  .join(' UNION ALL ')}) all_of_it`;
