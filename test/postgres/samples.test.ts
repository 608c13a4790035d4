import { expect, test } from 'vitest';
import { rowsOf, samplesOf, weigh } from '../../src/core/anomalies.ts';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { startPostgres } from '../support/postgres.ts';

const run = startRun({ clock: systemClock });

test('M4: a table that was overwritten is told by its sample, whatever tells its rows apart, and a copy has the same sample', async () => {
  await using server = await startPostgres();
  await server.createDatabase('shop');
  const source = postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [] });
  await server.script(
    `CREATE TABLE keyed (note text, "Odd id" uuid PRIMARY KEY DEFAULT gen_random_uuid(), b bytea);
     CREATE TABLE by_two (a int, b int, note text NOT NULL, PRIMARY KEY (b, a));
     CREATE TABLE by_index (note text, code text); CREATE UNIQUE INDEX ON by_index (code);
     CREATE TABLE keyless (at timestamptz, note text); CREATE TABLE still (id int PRIMARY KEY, note text);
     INSERT INTO keyed SELECT 'a note of ' || n, gen_random_uuid(), decode(md5(n::text), 'hex') FROM generate_series(1, 300) n;
     INSERT INTO by_two SELECT n, n % 7, 'a note of ' || n FROM generate_series(1, 300) n;
     INSERT INTO by_index SELECT 'a note of ' || n, 'code ' || n FROM generate_series(1, 300) n;
     INSERT INTO keyless SELECT timestamptz '2026-01-01' + n * interval '1 min', 'a note of ' || n FROM generate_series(1, 300) n;
     INSERT INTO still SELECT n, 'a note of ' || n FROM generate_series(1, 300) n;`,
    'shop',
  );
  const contents = await contentsOf(await source.capture(run));
  const into = server.urlOf('back');
  await source.restore(contents, { into, force: false, only: [], trustCode: true }, run);
  const { actual } = await source.measure(into, contents.expectations!, run, contents);
  expect(samplesOf(actual)).toEqual(samplesOf(contents.expectations!));
  expect(Object.values(samplesOf(actual)).map(({ key }) => key.join())).toEqual([
    'code',
    'b,a',
    '"Odd id"',
    'at',
    'id',
  ]);
  const measured = ({ expectations }: typeof contents, id: string) => ({
    ...{ id, timeMs: 0, bytes: 1 << 20, entries: 2 },
    rows: rowsOf(expectations!),
    samples: samplesOf(expectations!),
  });
  const tables = ['keyed', 'by_two', 'by_index', 'keyless'];
  await server.script(
    `${tables.map((table) => `UPDATE ${table} SET note = encode(sha256(note::bytea), 'base64')`).join(';')}; ALTER TABLE still ADD COLUMN more int DEFAULT 7`,
    'shop',
  );
  const after = await contentsOf(await source.capture(run));
  const weighed = weigh([measured(contents, 'a'), measured(after, 'b')], 'a', {
    ...{ holds: 'tables', mayBeEmpty: false, mayShrink: [] },
  });
  expect(
    weighed.state === 'lost' && weighed.losses.map(({ what, altered }) => `${what} ${altered?.how}`).sort(),
  ).toEqual(tables.map((table) => `public.${table} noise`).sort());
});
