import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlSource } from '../../src/sources/mysql/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
beforeAll(async () => {
  server = await startMariadb(['--log-bin=bin', '--server-id=1']);
  await server.query('CREATE DATABASE shop CHARACTER SET utf8mb4');
  await server.script(readFileSync(new URL('./shop.sql', import.meta.url)), 'shop');
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** The statements that docs/mariadb.md tells people to run. */
const documented = readFileSync(new URL('../../docs/mariadb.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^(CREATE USER|GRANT) /.test(line))
  .map((line) => line.replace(/ *--.*/, ''));

test('docs/mariadb.md: an account with its rights and no other backs up all that an administrator does, and may write nothing', async () => {
  expect(documented).toHaveLength(5);
  await server.query(documented.join(' '));
  const of = (user: string) => mysqlSource({ url: server.urlOf('shop', user, user === 'root' ? '' : '…') });
  const { problems } = await of('lifeboat').inspect(newRun());
  expect(problems).toEqual([]);
  const [mine, all] = [
    await contentsOf(await of('lifeboat').capture(newRun())),
    await contentsOf(await of('root').capture(newRun())),
  ];
  expect(mine.captured.problems).toEqual([]);
  expect(mine.captured.expectations).toEqual(all.captured.expectations);
  expect(mine.facts.definitions).toEqual(all.facts.definitions);
  expect(mine.facts.position).toEqual(all.facts.position);
  expect(mine.facts.position).toMatchObject({ gtid: expect.stringMatching(/^0-1-\d+$/) });
});

test('an account that may only back up restores where we are root on the server’s own host, through its socket; elsewhere it is told who may', async () => {
  const source = mysqlSource({ url: server.urlOf('shop', 'lifeboat', '…') });
  const before = await lookAt(server, 'shop');
  const contents = await contentsOf(await source.capture(newRun()));
  const restored = source.restore(contents, { ...everything, force: true }, newRun());
  if (process.getuid?.() !== 0) return expect(restored).rejects.toMatchObject({ code: 'mysql-restore-rights-missing' });
  expect((await restored).problems).toEqual([]);
  expect(await lookAt(server, 'shop')).toEqual(before);
});

test('my9: each right that is missing is named before anything is read, with the statement that gives it', async () => {
  await server.query(
    'CREATE USER poor@localhost; GRANT SELECT ON `sh\\_p`.* TO poor@localhost; GRANT SELECT, EVENT ON shop.* TO poor@localhost',
  );
  const source = mysqlSource({ url: server.urlOf('shop', 'poor') });
  const mended: string[] = [];
  let hint = await hintOf(source.inspect(newRun()));
  for (; hint !== undefined; hint = await hintOf(source.inspect(newRun()))) {
    expect(await hintOf(source.capture(newRun()))).toBe(hint);
    mended.push(grantIn(hint));
    await server.query(grantIn(hint));
  }
  expect(mended).toEqual([
    'GRANT SHOW VIEW, TRIGGER ON `shop`.* TO `poor`@`localhost`;',
    'GRANT SELECT ON mysql.proc TO `poor`@`localhost`;',
  ]);
  const { problems } = await source.inspect(newRun());
  expect(problems.map(({ code }) => code)).toEqual(['mysql-definitions-not-held', 'mysql-accounts-not-read']);
  for (const { message } of problems) await server.query(grantIn(message));
  expect((await source.inspect(newRun())).problems).toEqual([]);
});

const grantIn = (text: string) => /GRANT .*;/.exec(text)?.[0] ?? '';

/** What mends a missing right; undefined where none is missing. */
async function hintOf(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'mysql-rights-missing' });
    return (error as { hint: string }).hint;
  }
}
