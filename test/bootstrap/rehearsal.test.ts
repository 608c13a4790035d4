import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';
import { startPostgres } from '../support/postgres.ts';

test('recover --into brings all of it back beside the living system, compares it there, and touches nothing', async () => {
  const folder = await project();
  await lifeboat(folder, ['init']);
  expect((await lifeboat(folder, ['backup', '--quiet'])).code).toBe(0);
  // The living system went on, and lost what only a true recovery brings back.
  const live = join(folder, 'data/uploads/a.txt');
  fs.writeFileSync(live, 'newer');
  fs.rmSync(join(folder, 'data/app.db'));
  const recover = (...more: string[]) =>
    lifeboat(folder, ['recover', '--identity', 'lifeboat-keys/daily.txt', '--json', ...more]);

  const half = await recover('--into', 'uploads=try/uploads');
  expect(half).toMatchObject({ code: 64, stdout: expect.stringContaining('it is not said where to for app-db') });
  expect(await recover('--into', 'nothing=x')).toMatchObject({ code: 64 });
  const nowhere = await recover('--into-file', 'nowhere.yaml');
  expect(nowhere.stdout).toContain('nowhere.yaml cannot be read: it is not there.');
  expect(fs.existsSync(join(folder, 'try'))).toBe(false);

  const places = join(folder, 'try.yaml');
  fs.writeFileSync(places, 'app-db: ./try/app.db\nuploads: ./else\n');
  const tried = await recover('--into-file', 'try.yaml', '--into', 'uploads=try/uploads');
  expect(tried.code, tried.stdout + tried.stderr).toBe(0);
  const { datasets, rehearsal } = JSON.parse(tried.stdout);
  expect(rehearsal).toBe(true);
  expect(datasets.map(({ compared }: { compared: { verdict: string } }) => compared.verdict)).toEqual([
    'as recorded',
    'as recorded',
  ]);
  expect(fs.readFileSync(join(folder, 'try/uploads/a.txt'), 'utf8')).toBe('hello');
  const copy = new DatabaseSync(join(folder, 'try/app.db'), { readOnly: true });
  expect(copy.prepare('SELECT name FROM users').all()).toEqual([{ name: 'Ada' }]);
  copy.close();
  expect(fs.readFileSync(live, 'utf8')).toBe('newer');
  expect(fs.existsSync(join(folder, 'data/app.db'))).toBe(false);

  // What lies there is somebody's, and a rehearsal counts for nothing on the bad day.
  expect((await recover('--into-file', 'try.yaml', '--into', 'uploads=try/uploads')).code).toBe(2);
  const real = await recover('app-db');
  expect(real.code, real.stdout + real.stderr).toBe(0);
  expect(JSON.parse(real.stdout).datasets[0].state).toBe('back');
});

test('recover --into another database of a real server: compared there, and the living one is not touched', async () => {
  const folder = await project();
  const password = 'p/w #1%41';
  await using server = await startPostgres({ tcp: true });
  await server.query(`CREATE ROLE app LOGIN PASSWORD '${password}'`);
  await server.createDatabase('shop', 'OWNER app');
  await server.script(
    'SET ROLE app; CREATE TABLE orders AS SELECT n, now() AS at FROM generate_series(1, 500) n',
    'shop',
  );
  fs.writeFileSync(join(folder, '.env'), `DB_PASSWORD='${password}'\n`);
  await lifeboat(folder, ['init']);
  const file = join(folder, 'lifeboat.yaml');
  const address = `host: 127.0.0.1, port: ${server.port}, user: app, password: "\${DB_PASSWORD}", database: shop`;
  const text = fs
    .readFileSync(file, 'utf8')
    .replace(/^vault:$/m, 'envFile: ./.env\n$&')
    .replace(/^datasets:$/m, `$&\n  shop: { type: postgres, ${address} }`);
  fs.writeFileSync(file, text);
  const backup = await lifeboat(folder, ['backup', '--quiet']);
  expect(backup.code, backup.stdout + backup.stderr).toBe(0);
  await server.query('DELETE FROM orders WHERE n > 10', 'shop');

  const recover = (...more: string[]) =>
    lifeboat(folder, ['recover', 'shop', '--identity', 'lifeboat-keys/daily.txt', '--json', ...more]);
  const counted = async (database: string) => (await server.query('SELECT count(*) AS n FROM orders', database))[0];
  // Who the application is may make no database, and is told so before anything is done.
  const own = server.tcpUrlOf('rehearsal', 'app', password);
  fs.writeFileSync(join(folder, 'try.yaml'), JSON.stringify({ shop: own }));
  const refused = await recover('--into-file', 'try.yaml');
  expect(refused.code, refused.stdout).toBe(2);
  expect(refused.stdout + refused.stderr).toMatch(/may not create|CREATEDB|create databases/i);
  expect(refused.stdout + refused.stderr).not.toContain('p%2Fw');

  fs.writeFileSync(join(folder, 'try.yaml'), JSON.stringify({ shop: server.urlOf('rehearsal') }));
  const tried = await recover('--into-file', 'try.yaml');
  expect(tried.code, tried.stdout + tried.stderr).toBe(0);
  const told = JSON.parse(tried.stdout);
  expect(told).toMatchObject({ rehearsal: true, datasets: [{ state: 'back', compared: { verdict: 'as recorded' } }] });
  expect([await counted('rehearsal'), await counted('shop')]).toEqual([{ n: '500' }, { n: '10' }]);
  // A second rehearsal finds the first one's database, and says so.
  expect((await recover('--into-file', 'try.yaml')).code).toBe(2);
  expect(await counted('shop')).toEqual({ n: '10' });
});
