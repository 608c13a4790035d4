import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { type Mariadb, startMariadb } from '../support/mariadb.ts';
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temp.ts';
import { lookAt } from './look.ts';

let server: Mariadb;
let folder: TemporaryFolder;

beforeAll(async () => {
  [server, folder] = await Promise.all([startMariadb(), makeTemporaryFolder()]);
  await server.query(
    `CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER 'sh_op'@'%' IDENTIFIED BY 'only-for-the-shop'; CREATE ROLE clerk;
     GRANT ALL ON shop.* TO 'sh_op'@'%'; GRANT SELECT ON shop.* TO clerk`,
  );
  await server.script(readFileSync(new URL('./shop.sql', import.meta.url)), 'shop');
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const at = (name: string) => join(folder.path, name);

async function lifeboat(...words: string[]) {
  const said: string[] = [];
  const heard: string[] = [];
  const stdout = { isTTY: false, write: (text: string) => said.push(text) > 0 };
  const stderr = { isTTY: false, write: (text: string) => heard.push(text) > 0 };
  const env = { PATH: process.env.PATH, HOME: folder.path, LIFEBOAT_STATE_DIR: at('state') };
  const { signal } = new AbortController();
  const around = { env, stdout, stderr, signal, version: '0' };
  const code = await runProgram(['--config', at('project/lifeboat.yaml'), ...words, '--json'], around as never);
  return { code, text: said.join(''), document: JSON.parse(said.join('')), heard: heard.join('') };
}

test('a MariaDB database is found, backed up, restored, drilled, asked, sabotaged, lost and recovered', async () => {
  mkdirSync(at('project'), { recursive: true });
  writeFileSync(at('project/.env'), `DATABASE_URL=${server.urlOf('shop')}\n`);
  const { document: made } = await lifeboat('init');
  expect(made.found.datasets).toContainEqual({
    ...{ name: 'app-db', why: 'MariaDB, DATABASE_URL in .env', type: 'mysql', keys: { url: `\${DATABASE_URL}` } },
  });
  const identity = ['--identity', at('project/lifeboat-keys/daily.txt')];
  writeFileSync(
    at('project/lifeboat.yaml'),
    readFileSync(at('project/lifeboat.yaml'), 'utf8') +
      `  checks:
    orders: { type: sql, dataset: app-db, query: "select count(*) from orders", expect: ">= 3" }
    bytes: { type: sql, dataset: app-db, query: "select photo from product where id = 1", expect: "= 00ff10" }
    fresh: { type: freshness, dataset: app-db, query: "select unix_timestamp(max(placed)) from orders", within: 5000 days }
    at the door: { type: command, run: "printf 'insert into setting values (1, 2); select concat(current_user(), count(*)) from orders' | mariadb -h 127.0.0.1 -P 3306 -u sh_op shop | grep sh_op@localhost3" }
    nothing is written: { type: sql, dataset: app-db, query: "select half(4)", expect: "= 2" }
`,
  );
  const before = await lookAt(server, 'shop');
  const backup = await lifeboat('backup');
  expect([backup.code, backup.document.backedUp[0].problems]).toEqual([0, []]);
  const { document: checked } = await lifeboat('check');
  expect(checked.checks.find(({ area }: { area: string }) => area === 'dataset')).toMatchObject({
    name: 'app-db',
    result: 'good',
  });

  expect((await lifeboat('restore', 'app-db', '--into', server.urlOf('beside'), ...identity)).code).toBe(0);
  expect(await lookAt(server, 'beside')).toEqual(before);
  const taken = await lifeboat('restore', 'app-db', ...identity);
  expect(taken).toMatchObject({ code: 2, document: { error: { code: 'target-not-empty' } } });

  const { document: drilled } = await lifeboat('drill', ...identity);
  expect([drilled.verdict, drilled.why]).toEqual(['proved', []]);
  expect(drilled.checks.map(({ id, verdict }: { id: string; verdict: string }) => [id, verdict])).toEqual(
    expect.arrayContaining([
      ['orders', 'pass'],
      ['bytes', 'pass'],
      ['fresh', 'pass'],
      ['at the door', 'pass'],
      ['app-db/definitions', 'pass'],
      ['app-db/roles and settings', 'pass'],
      ['app-db/integrity', 'pass'],
      ['app-db/expectations', 'pass'],
    ]),
  );
  const { document: sabotaged } = await lifeboat('drill', 'app-db', '--sabotage', ...identity);
  const tries: { sabotage: string; verdict: string; message: string }[] = sabotaged.datasets[0].tries;
  expect(tries.filter(({ verdict }) => verdict !== 'caught')).toEqual([]);
  expect([sabotaged.verdict, sabotaged.why, tries.length]).toEqual(['caught', [], 40]);

  await server.query("DROP DATABASE shop; DROP USER 'sh_op'@'%'; DROP ROLE clerk");
  const { document: recovered } = await lifeboat('recover', ...identity);
  expect(recovered.datasets[0]).toMatchObject({
    dataset: 'app-db',
    state: 'back',
    compared: { verdict: 'as recorded' },
  });
  expect(await lookAt(server, 'shop')).toEqual(before);
  const grants = await server.query("SHOW GRANTS FOR 'sh_op'@'%'");
  expect(grants.join()).toContain('GRANT ALL PRIVILEGES ON `shop`.* TO `sh_op`@`%`');
  expect((await lifeboat('status')).document.datasets[0]).toMatchObject({
    name: 'app-db',
    type: 'mysql',
    data: 'sound',
  });
});
