import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Contents } from '../../src/sources/source.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { type Stage, setStage } from './stage.ts';

const password = 'planted-Pa55word';

const drill = `
  app:
    start: |
      exec "$NODE" -e 'require("node:http").createServer((q, r) => require("node:child_process").execFile("psql", ["-XAtc",
        q.url === "/health" ? "select 1" : "select current_user || count(*) from orders", process.env.DATABASE_URL],
        (e, out, err) => r.writeHead(e ? 500 : 200).end(out + err))).listen(process.env.PORT, "127.0.0.1")'
    ready: "http://127.0.0.1:\${PORT}/health"
    env: { NODE: "\${NODE}", DATABASE_URL: "\${RESTORED_SHOP}", SECRET_TOKEN: "\${SECRET_TOKEN}" }
  checks:
    orders are there: { type: sql, dataset: shop, query: select count(*) from orders, expect: "= 300" }
    a flag is true: { type: sql, dataset: shop, query: select true, expect: "= true" }
    tables are found where the application finds them: { type: sql, dataset: shop, query: select ledger.n + mine.n from ledger cross join mine, expect: "= 3" }
    a name of any letters: { type: sql, dataset: blank, query: select current_database(), expect: "= a=b & c" }
    fresh: { type: freshness, dataset: shop, query: select max(at) from orders, within: 1h }
    attachments open: { type: references, from: { dataset: shop, query: select attachment from orders where attachment is not null }, in: uploads }
    the application reads: { type: http, steps: [{ path: /, expect: { contains: app300 } }] }
    talks: { type: command, run: 'echo "token $SECRET_TOKEN \${DATABASE_URL:-none}"; env | grep -c SECRET_TOKEN || true' }
`;

let folder: TemporaryFolder;
let server: Postgres;
let stage: Stage;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  server = await startPostgres({ tcp: true });
  await server.query(`CREATE ROLE app LOGIN PASSWORD '${password}'`);
  await server.createDatabase('shop', 'OWNER app');
  await server.createDatabase('a=b & c');
  await server.query('ALTER ROLE app SET search_path = "$user", sales, public');
  await server.script(
    `SET ROLE app;
    CREATE TABLE public.orders (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), attachment text);
    CREATE TABLE public.refunds (id int PRIMARY KEY);
    CREATE SCHEMA app; CREATE TABLE app.mine AS SELECT 1 AS n; CREATE SCHEMA sales; CREATE TABLE sales.ledger AS SELECT 2 AS n;
    INSERT INTO public.orders SELECT n, now(), CASE WHEN n <= 20 THEN n || '.pdf' END FROM generate_series(1, 300) n`,
    'shop',
  );
  stage = await setStage(folder.path, {
    datasets: `  blank: { type: postgres, url: '\${BLANK_URL}', rpo: 15m, rto: 10m, mayBeEmpty: never used }
  shop: { type: postgres, url: '\${SHOP_URL}', rpo: 15m, rto: 10m }`,
    drill,
    env: {
      BLANK_URL: server.urlOf('a=b & c'),
      SHOP_URL: server.tcpUrlOf('shop', 'app', password),
      SECRET_TOKEN: 'planted-token-123',
    },
  });
  await stage.backUp();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

function truncatedDump(dataset: string, contents: Contents): Contents {
  if (dataset !== 'shop') return contents;
  return {
    ...contents,
    async *read(path) {
      const pieces = await Array.fromAsync(contents.read(path));
      const whole = Buffer.concat(pieces);
      // The globals are small text; the dump loses its last third.
      yield whole.subarray(0, whole.length > 4000 ? (whole.length * 2) / 3 : whole.length);
    },
  };
}

async function onShop(where: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: where });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

describe('a drill of PostgreSQL', () => {
  test('pg-15: is proved on private servers, also of an empty database, by an application that signs in as its own role', async () => {
    const { outcome, evidence, details } = await stage.drill();
    expect(outcome.why).toEqual([]);
    expect(outcome.verdict).toBe('proved');
    expect(outcome.checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(outcome.checks.find(({ id }) => id === 'shop/expectations')?.message).toMatch(
      /^As recorded: 302 rows in 4 tables/,
    );
    expect(evidence.place.versions['shop postgres']).toMatch(/^\d+\.\d+/);
    expect(evidence.objectives.find(({ dataset }) => dataset === 'shop')).toMatchObject({ rpoFrom: 'newest-record' });

    // No secret in anything that is kept or shown; no table and no value where everybody may read it.
    const kept = JSON.stringify([outcome, evidence, details]);
    expect(kept).not.toContain(password);
    expect(kept).not.toContain('planted-token-123');
    expect(kept).not.toContain('AGE-SECRET-KEY');
    expect(JSON.stringify(evidence)).not.toMatch(/refunds|orders has|302 rows/);
    expect(JSON.stringify(details)).toMatch(/302 rows/);
    // The command's own line is in the report, with the token taken out of it where it had it.
    expect(outcome.checks.find(({ id }) => id === 'talks')?.message).toContain('none');
  });

  test('drill-02: another server under the same URL is told', async () => {
    await stage.backUp();
    let opened = 0;
    const moved = (dataset: string, contents: Contents): Contents =>
      dataset === 'shop' && opened++ > 0
        ? { ...contents, facts: { ...contents.facts, systemIdentifier: '7' } }
        : contents;
    const { outcome } = await stage.drill({ contents: moved });
    expect(outcome.notes.join()).toMatch(/shop was read from another server since restore point/);
    expect((await stage.drill()).outcome.notes.join()).not.toContain('another server');
  });

  test('a truncated dump is caught by the restore (PortOS #976)', async () => {
    const { outcome } = await stage.drill({ contents: truncatedDump });
    expect(outcome.verdict).toBe('failed');
    const restored = outcome.checks.find(({ id }) => id === 'shop/restored');
    expect(restored?.verdict).toBe('fail');
    expect(restored?.message).toMatch(/pg_restore|dump|shop/);
  });

  test('a table that is missing and rows that were removed are named', async () => {
    const { outcome } = await stage.drill({
      restored: async (dataset, where) => {
        if (dataset === 'shop') await onShop(where, 'DROP TABLE refunds; DELETE FROM orders WHERE id > 290');
      },
    });
    expect(outcome.verdict).toBe('failed');
    const message = outcome.checks.find(({ id }) => id === 'shop/expectations')?.message;
    expect(message).toMatch(/refunds is missing; it had 0 rows/);
    expect(message).toMatch(/orders has 290 rows instead of 300: 10 missing/);
  });
});
