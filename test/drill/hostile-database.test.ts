import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { System } from '../../src/config/system.ts';
import type { DrillOutcome } from '../../src/operations/drill/parts.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { type Stage, setStage } from './stage.ts';

const drill = `
  checks:
    what it defines is asked: { type: sql, dataset: shop, query: select deed from public.asked, expect: "= true" }
`;

let folder: TemporaryFolder;
let server: Postgres;
let stage: Stage;
let marks: string;

beforeAll(async () => {
  folder = await makeTemporaryFolder({ open: true });
  marks = join(folder.path, 'marks');
  mkdirSync(marks);
  chmodSync(marks, 0o777);
  server = await startPostgres({ settings: ['cluster_name=production'] });
  await server.query('CREATE ROLE shop LOGIN');
  const datasets = `  shop: { type: postgres, url: '${server.urlOf('shop')}', rpo: 15m, rto: 10m }`;
  stage = await setStage(folder.path, { datasets, drill });
});
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await server?.stop();
  await folder?.[Symbol.asyncDispose]();
});

/** Code of the application's role. In production it does nothing: it waits until it is restored. */
async function plant(deed: string): Promise<void> {
  await server.query('DROP DATABASE IF EXISTS shop');
  await server.createDatabase('shop', 'OWNER shop');
  const client = new pg.Client({ connectionString: server.urlOf('shop', 'shop') });
  await client.connect();
  await client.query(`CREATE TABLE kept (i int); INSERT INTO kept SELECT generate_series(1, 50);
    CREATE FUNCTION public.program() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
      COPY (SELECT 1) TO PROGRAM 'cat > ${marks}/$(id -un)'; EXCEPTION WHEN OTHERS THEN NULL; END $f$;
    CREATE FUNCTION public.deed() RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
      IF current_setting('cluster_name') <> 'production' THEN PERFORM public.program(); ${deed} END IF; RETURN true; END $f$;
    CREATE TABLE t (i int CHECK (public.deed())); INSERT INTO t VALUES (1); CREATE VIEW asked AS SELECT public.deed();`);
  await client.end();
}

function checkOf({ checks }: DrillOutcome, id: string) {
  return checks.find((check) => check.id === id) ?? { verdict: 'missing', message: 'no such check' };
}

describe.each([true, false])('H6: code of a restored database (namespaces: %s)', (namespaces) => {
  test('proves nothing by what it does while it is loaded or asked, and runs no program', async () => {
    await plant('DELETE FROM public.kept WHERE i > 10;');
    await stage.backUp();
    const { outcome } = await stage.drill({ namespaces });
    expect(outcome.verdict).toBe('failed');
    expect(checkOf(outcome, 'shop/expectations').message).toMatch(/kept has 10 rows instead of 50/);
    // In a session that can only read.
    expect(checkOf(outcome, 'what it defines is asked').message).toMatch(/read-only|permission denied/);
    expect(readdirSync(marks)).toEqual([]);
  });

  test('is ended where it never ends, and the drill names the limit of time', async () => {
    await plant('LOOP BEGIN PERFORM pg_sleep(0.01); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP;');
    await stage.backUp();
    const system = (whole: System) => ({ ...whole, drill: { ...whole.drill, limits: { timeMs: 15_000 } } });
    const { outcome } = await stage.drill({ namespaces, system });
    expect(outcome.verdict).toBe('inconclusive');
    expect(outcome.why.join(' ')).toMatch(
      /it was not done after the 15 s that it may take\. Raise drill\.limits\.time/,
    );
    expect(readdirSync(join(stage.stateDir, 'sandboxes'))).toEqual([]);
    expect(readdirSync(marks)).toEqual([]);
  });
});

test('H6: what only a superuser can load is loaded behind walls alone, and the report says that a restore needs --trust-code', async () => {
  await plant('');
  await server.script('CREATE TABLE of_another_owner (i int)', 'shop');
  await stage.backUp();
  const walled = await stage.drill();
  expect(walled.outcome.why).toEqual([]);
  expect(walled.outcome.verdict).toBe('proved');
  expect(walled.outcome.notes.join(' ')).toMatch(/A restore of shop needs --trust-code: .* several owners/);
  const bare = await stage.drill({ namespaces: false });
  expect(bare.outcome.verdict).toBe('inconclusive');
  expect(bare.outcome.why.join(' ')).toContain('nothing would keep it from this host');
  expect(readdirSync(marks)).toEqual([]);
});
