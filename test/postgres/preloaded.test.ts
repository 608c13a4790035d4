import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { checkExpectations } from '../../src/operations/drill/checks/expectations.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import type { Contents } from '../../src/sources/source.ts';
import { type Stage, setStage } from '../drill/stage.ts';
import { contentsOf } from '../support/contents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';

const run = startRun({ clock: systemClock });
const adapter = () => postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [] });
const captured = async () => contentsOf(await adapter().capture(run));
const everything = { force: true, only: [], trustCode: true } as const;

const drill = `
  checks:
    the job is there: { type: sql, dataset: shop, query: select count(*) from jobs, expect: "= 1" }
    nothing of it runs: { type: sql, dataset: shop, query: "select count(*) from pg_stat_activity where backend_type ~ 'cron'", expect: "= 0" }
`;

let folder: TemporaryFolder;
let server: Postgres;
let stage: Stage;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  server = await startPostgres({
    settings: ['shared_preload_libraries=pg_cron,pgaudit', 'cron.database_name=shop', 'pgaudit.log=ddl'],
  });
  await server.createDatabase('shop');
  await server.script(
    `CREATE EXTENSION pg_cron; CREATE EXTENSION pgaudit; CREATE EXTENSION citext;
     CREATE TABLE kept (name citext PRIMARY KEY); INSERT INTO kept VALUES ('row');
     SELECT cron.schedule('nightly', '0 3 * * *', 'DELETE FROM kept');
     CREATE VIEW jobs AS SELECT jobname FROM cron.job;`,
    'shop',
  );
  stage = await setStage(folder.path, {
    datasets: `  shop: { type: postgres, url: '\${SHOP_URL}', rpo: 15m, rto: 10m }`,
    drill,
    env: { SHOP_URL: server.urlOf('shop') },
  });
  await stage.backUp();
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await server?.stop();
  await folder[Symbol.asyncDispose]();
});

describe('pg-09: extensions that are loaded with the server, and bound to the name of the database', () => {
  test('come back in a restore, with their rows and what needs them', async () => {
    const contents = await captured();
    await server.query('DELETE FROM cron.job', 'shop');
    const { problems, notCompared } = await adapter().restore(contents, everything, run);
    expect(problems).toEqual([]);
    expect(await server.query('SELECT jobname FROM jobs', 'shop')).toEqual([{ jobname: 'nightly' }]);
    const { actual } = await adapter().measure(server.urlOf('shop'), contents.expectations!, run, contents);
    expect(checkExpectations(contents.expectations, actual, contents.facts, notCompared).verdict).toBe('pass');
  });

  test('under another name the one that is bound is named, and all else is back', async () => {
    const { problems } = await adapter().restore(await captured(), { ...everything, into: server.urlOf('other') }, run);
    expect(problems.map(({ code }) => code)).toContain('object-not-made-again');
    expect(problems.map(({ message }) => message).join(' ')).toMatch(
      /EXTENSION pg_cron could not be made again: can only create extension in database shop/,
    );
    expect(await server.query('SELECT name FROM kept', 'other')).toEqual([{ name: 'row' }]);
    expect(await server.query("SELECT FROM pg_extension WHERE extname = 'pgaudit'", 'other')).toHaveLength(1);
  });

  test('chosen tables come into a database of their own, and the one that is there is not touched', async () => {
    const contents = await captured();
    await server.query("SELECT cron.schedule('later', '0 4 * * *', 'SELECT 1')", 'shop');
    const live = () => server.query('SELECT last_value FROM cron.jobid_seq', 'shop');
    const before = await live();
    const target = { force: false, only: ['public.kept'], trustCode: true };
    const { where, problems } = await adapter().restore(contents, target, run);
    expect(await live()).toEqual(before);
    expect(problems.map(({ message }) => message).join(' ')).toMatch(/EXTENSION pg_cron could not be made again/);
    const [, database = ''] = /(shop__tables_\w+)/.exec(where) ?? [];
    expect(await server.query('SELECT name FROM kept', database)).toEqual([{ name: 'row' }]);
  });

  test.each([
    ['with what the restore point says of its server', (one: Contents) => one],
    [
      'and where its role could not see that',
      (one: Contents) => ({ ...one, facts: { ...one.facts, preloaded: undefined } }),
    ],
  ])('are made in a drill, %s, and no job of theirs runs there', async (_, change) => {
    const { outcome } = await stage.drill({
      contents: (dataset, one) => (dataset === 'shop' ? change(one) : one),
    });
    expect(outcome.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(outcome.verdict).toBe('proved');
  });
});
