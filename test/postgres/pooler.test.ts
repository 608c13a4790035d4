import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { LifeboatError } from '../../src/core/errors.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
const run = startRun({ clock: systemClock });

beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.script('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20000)', 'shop');
});
afterAll(() => server?.stop());

const adapter = (url: string) => postgresSource({ name: 'db', url, exclude: [] });
const failure = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: LifeboatError) => error);

const untouched = '"$user", public 0 on on 1 C.UTF-8 0 0 20000';

/** What an application finds in the sessions that the pooler gives it, until `stop`. */
function application(url: string) {
  const found = new Set<string>();
  let going = true;
  const look = `SELECT current_setting('search_path') || ' ' || current_setting('statement_timeout') || ' '
    || current_setting('row_security') || ' ' || current_setting('synchronize_seqscans') || ' '
    || current_setting('extra_float_digits') || ' ' || current_setting('lc_monetary') || ' '
    || (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') || ' '
    || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS seen, (SELECT count(*) FROM t) AS rows`;
  const worker = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    // A pooler that ends a session would let a loop of failures turn for ever.
    let gone = false;
    do {
      const seen = await client.query(look).then(
        ({ rows }) => `${rows[0].seen} ${rows[0].rows}`,
        (error: Error) => error.message,
      );
      found.add(seen);
      gone = seen !== untouched;
    } while (going && !gone);
    await client.end();
  };
  const workers = [worker(), worker(), worker()];
  return {
    async stop() {
      going = false;
      await Promise.all(workers);
      return [...found];
    },
  };
}

describe('pg-10: through PgBouncer', () => {
  test.each([
    ['transaction', ['pool_mode = transaction'], true],
    ['transaction, and nobody else is there', ['pool_mode = transaction'], false],
    ['transaction, in turn', ['pool_mode = transaction', 'server_round_robin = 1'], true],
    ['transaction, where only one session is allowed', ['pool_mode = transaction', 'default_pool_size = 1'], false],
    ['transaction, with options let through', ['pool_mode = transaction', 'ignore_startup_parameters = options'], true],
    ['statement', ['pool_mode = statement'], true],
    ['session, where only one is allowed', ['pool_mode = session', 'default_pool_size = 1'], false],
  ])('a backup in mode %s is refused, and the application notices nothing', async (_mode, settings, busy) => {
    await using pooler = await startPgBouncer(server, settings);
    const url = `${pooler.urlOf('shop')}?connect_timeout=2`;
    const app = busy ? application(url) : undefined;
    const inspected = await failure(adapter(url).inspect(run));
    const captured = await failure((async () => contentsOf(await adapter(url).capture(run)))());
    const seen = (await app?.stop()) ?? [];
    for (const error of [inspected, captured]) {
      expect(error).toMatchObject({ code: 'postgres-pooled', hint: expect.stringContaining("server's own address") });
    }
    expect(seen.filter((one) => one !== untouched)).toEqual([]);
    if (busy) expect(await application(url).stop()).toEqual([untouched]);
  });

  test.each([
    ['session', ['pool_mode = session', 'default_pool_size = 8']],
    ['session, and nothing is reset', ['pool_mode = session', 'default_pool_size = 8', 'server_reset_query =']],
  ])('a backup in mode %s succeeds, and the application notices nothing', async (_mode, settings) => {
    await using pooler = await startPgBouncer(server, settings);
    const url = pooler.urlOf('shop');
    const app = application(url);
    await adapter(url).inspect(run);
    const contents = await contentsOf(await adapter(url).capture(run));
    expect(await app.stop()).toEqual([untouched]);
    expect(await application(url).stop()).toEqual([untouched]);
    expect(contents.expectations?.tables).toContainEqual(expect.objectContaining({ table: 'public.t', rows: 20_000 }));
    const into = `${pooler.urlOf('back')}`;
    const restored = await failure(adapter(url).restore(contents, { into, force: false, only: [] }, run));
    expect(restored).toMatchObject({ code: 'postgres-pooled' });
    expect(await application(url).stop()).toEqual([untouched]);
  });

  test('values that pg_dump could not be told to write as everywhere stop it, with what mends it', async () => {
    await server.query("ALTER DATABASE shop SET bytea_output = 'escape'");
    // A session of the pool keeps what held when it began.
    const capture = async () => {
      await using pooler = await startPgBouncer(server, ['pool_mode = session']);
      return await contentsOf(await adapter(pooler.urlOf('shop')).capture(run));
    };
    try {
      expect(await failure(capture())).toMatchObject({
        code: 'postgres-texts-unfixed',
        hint: expect.stringContaining("ALTER ROLE postgres SET bytea_output = 'hex';"),
      });
      await server.query("ALTER ROLE postgres SET bytea_output = 'hex'");
      await capture();
    } finally {
      await server.query('ALTER DATABASE shop RESET ALL; ALTER ROLE postgres RESET ALL');
    }
  });
});
