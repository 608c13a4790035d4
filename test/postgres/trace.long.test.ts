import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { backUp, indexesAtOnce, pgDumpAlone, standingOf, watching } from './trace.ts';

let server: Postgres;

/** An application of the pgbench kind: it writes, and stops at once where its session is not as it was. */
const script = `
\\set id random(1, 20000)
UPDATE /* app */ accounts SET balance = balance + 1 WHERE id = :id;
SELECT /* app */ 1 / (current_setting('search_path') = '"$user", public' AND current_setting('statement_timeout') = '0'
  AND current_setting('lock_timeout') = '0' AND current_setting('row_security') = 'on'
  AND current_setting('default_transaction_read_only') = 'off' AND current_setting('transaction_isolation') = 'read committed'
  AND current_setting('synchronize_seqscans') = 'on' AND current_setting('extra_float_digits') = '1'
  AND current_setting('TimeZone') = 'Etc/UTC' AND current_setting('DateStyle') = 'ISO, MDY' AND current_setting('enable_indexscan') = 'on'
  AND (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') = 0
  AND (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') = 0)::int;
`;

beforeAll(async () => {
  server = await startPostgres({
    settings: [
      'shared_preload_libraries=pg_stat_statements',
      'max_connections=60',
      'timezone=Etc/UTC',
      'datestyle=ISO,MDY',
    ],
  });
  await server.script('CREATE EXTENSION pg_stat_statements');
  await server.createDatabase('shop');
  await server.script(
    `CREATE TABLE accounts (id int PRIMARY KEY, balance int DEFAULT 0, filler text); CREATE INDEX ON accounts (balance);
     INSERT INTO accounts SELECT g, 0, md5(g::text) FROM generate_series(1, 20000) g;
     CREATE TABLE history AS SELECT g AS id, md5(g::text) AS b FROM generate_series(1, 1000000) g;
     CREATE INDEX ON history (id); SELECT lo_from_bytea(0, '\\x00ff'); VACUUM ANALYZE`,
    'shop',
  );
});
afterAll(() => server?.stop());

const balance = async () => Number((await server.query('SELECT sum(balance) AS sum FROM accounts', 'shop'))[0]?.sum);

/** Six clients at it. `stop` gives what went wrong among them. */
async function application(url: string) {
  const file = join(await temporaryFolder(), 'script.sql');
  await writeFile(file, script);
  const before = await balance();
  const words = ['-n', '-c', '6', '-R', '300', '-T', '3600', '-f', file, url];
  const clients = spawn(join(server.programs, 'pgbench'), words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PGAPPNAME: 'pgbench' },
  });
  let said = '';
  clients.stderr.on('data', (bytes) => {
    said += bytes;
  });
  const goesOn = async (from: number) => {
    await until(async () => clients.exitCode !== null || (await balance()) > from + 50);
  };
  await goesOn(before);
  return {
    async [Symbol.asyncDispose]() {
      clients.kill('SIGKILL');
      if (clients.exitCode === null && clients.signalCode === null) await once(clients, 'exit');
    },
    /** After it came round to all of its sessions again. */
    async errors() {
      await goesOn(await balance());
      return said.split('\n').filter((line) => /error|aborted|fatal/i.test(line));
    },
  };
}

/** Of sessions that are not the application's: what they held, and what they wrote, by what they did. */
async function measured(name: string, work: () => Promise<unknown>) {
  await server.query('SELECT pg_stat_statements_reset()');
  const standing = async () => {
    const { others, temporary } = await standingOf(server, 'shop');
    return [others, temporary];
  };
  const before = await standing();
  const trace = await watching(server, 'shop', name, work);
  await until(async () => (await standing())[0] === before[0]);
  const [written] = await server.query<{ reading: number; other: number; temporary: number }>(
    `SELECT coalesce(sum(wal_bytes) FILTER (WHERE reads), 0)::float AS reading, coalesce(sum(wal_bytes) FILTER (WHERE NOT reads), 0)::float AS other,
       coalesce(sum(temp_blks_written), 0)::int AS temporary
     FROM (SELECT *, query ~* '^\\s*copy|count\\(' AS reads FROM pg_stat_statements WHERE query !~ '/. app .' AND query !~ 'sum\\(balance'
       AND dbid = (SELECT oid FROM pg_database WHERE datname = 'shop')) s`,
  );
  return { trace, ...written, before, after: await standing() };
}

describe('O2, pg-10: a backup leaves no trace in a server that works, measured beside pg_dump alone', () => {
  test.each([
    ['directly', undefined, true],
    ['through PgBouncer in session mode', ['pool_mode = session', 'default_pool_size = 20'], true],
    ['through PgBouncer in transaction mode', ['pool_mode = transaction'], false],
    ['through PgBouncer in statement mode', ['pool_mode = statement'], false],
  ])('%s', async (_way, settings, works) => {
    await using pooler = settings && (await startPgBouncer(server, settings));
    const url = (pooler ?? server).urlOf('shop');
    await using clients = await application(url);
    const alone = await measured('pg_dump', () => pgDumpAlone(server, 'shop'));
    const ours = await measured('lifeboat', async () => {
      if (works) return await backUp(server, url);
      const source = postgresSource({ name: 'db', url: `${url}?connect_timeout=2`, exclude: [] });
      await expect(source.inspect(startRun({ clock: systemClock }))).rejects.toMatchObject({ code: 'postgres-pooled' });
      await expect(backUp(server, url)).rejects.toMatchObject({ code: 'postgres-pooled' });
      return undefined;
    });

    expect(await clients.errors()).toEqual([]);
    expect(ours.after).toEqual(ours.before);
    expect(ours.other).toBe(0);
    expect(ours.temporary).toBe(alone.temporary);
    expect(ours.trace.modes.filter((mode) => mode !== 'AccessShareLock')).toEqual([]);
    expect(ours.trace.tables).toBeLessThanOrEqual(alone.trace.tables);
    expect(ours.trace.indexes).toBeLessThanOrEqual(indexesAtOnce(2));
    expect(ours.trace.sessions).toBeLessThanOrEqual(2);
  });
});
