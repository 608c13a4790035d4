import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import { postgresSource } from '../../src/sources/postgres/postgres.ts';
import { contentsOf } from '../support/contents.ts';
import { startPostgres } from '../support/postgres.ts';

test('pg-15: a row that no dump can hold is named by its table, with what to do, also where only its columns together are too large', async () => {
  await using server = await startPostgres();
  await server.createDatabase('shop');
  await server.script(
    `CREATE TABLE "odd docs" (a bytea, b bytea, c bytea);
     INSERT INTO "odd docs" SELECT v, v, v FROM (SELECT decode(repeat('00', 190000000), 'hex') AS v) one`,
    'shop',
  );
  const source = postgresSource({ name: 'db', url: server.urlOf('shop'), exclude: [] });
  const capturing = source.capture(startRun({ clock: systemClock })).then(contentsOf);
  await expect(capturing).rejects.toMatchObject({
    code: 'postgres-row-too-large',
    hint: expect.stringContaining('FROM public."odd docs" t'),
  });
});
