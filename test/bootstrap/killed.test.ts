import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bin } from '../cli/lifeboat.ts';
import { startPostgres } from '../support/postgres.ts';
import { type Disaster, disaster, secondCommand } from './bare-machine.ts';

/** What `recover` is about to write down when it is killed, and of which dataset. */
type Moment = `${'placing' | 'restored'} ${string}`;

describe('B3: recover, killed between a restore and its note', () => {
  test('goes on by itself: what came to its place is left as it is, what did not is brought back', async () => {
    const { lost, rerun, killAt } = await bootstrapped();
    const database = join(lost, 'data/app.db');
    await killAt('placing app-db');
    expect(existsSync(database)).toBe(false);
    await killAt('restored app-db');
    expect(namesOf(database)).toEqual(['Ada']);
    // Somebody tries the application already.
    changeIn(database, "INSERT INTO users VALUES (2, 'Grace')");
    await killAt('restored uploads');
    writeFileSync(join(lost, 'data/uploads/b.txt'), 'new');
    const last = await rerun();
    expect(last.code, last.stdout).toBe(0);
    expect(JSON.parse(last.stdout).datasets).toMatchObject([
      { dataset: 'app-db', state: 'was back' },
      { dataset: 'uploads', state: 'was back' },
    ]);
    expect(namesOf(database)).toEqual(['Ada', 'Grace']);
    expect(readdirSync(join(lost, 'data/uploads')).sort()).toEqual(['a.txt', 'b.txt']);
    expect(readdirSync(join(lost, 'data')).filter((name) => name.startsWith('.lifeboat-restoring'))).toEqual([]);
    const again = await rerun('--again');
    expect(again.code, again.stdout).toBe(0);
    expect(namesOf(database)).toEqual(['Ada']);
  });

  test('does not take for its own what somebody put there since, and says what to do', async () => {
    const { lost, rerun, killAt } = await bootstrapped();
    const [database, uploads] = [join(lost, 'data/app.db'), join(lost, 'data/uploads')];
    await killAt('restored app-db', 'app-db');
    await killAt('restored uploads', 'uploads');
    for (const path of [database, uploads]) {
      // The same bytes, and not what was restored.
      cpSync(path, `${path}.copy`, { recursive: true, preserveTimestamps: true });
      rmSync(path, { recursive: true });
      renameSync(`${path}.copy`, path);
    }
    changeIn(database, "INSERT INTO users VALUES (2, 'Grace')");
    // With nothing but the same bytes it would be in nobody's way.
    writeFileSync(join(uploads, 'theirs.txt'), 'theirs');
    const stopped = await rerun();
    expect(stopped.code).toBe(2);
    for (const { dataset, error } of JSON.parse(stopped.stdout).datasets) {
      const hint = expect.stringContaining(`'${dataset} --force'`);
      expect(error).toMatchObject({ code: 'recovery-target-taken', hint });
    }
    expect(namesOf(database)).toEqual(['Ada', 'Grace']);
    // One hint, then the other.
    renameSync(uploads, `${uploads}.mine`);
    const forced = await rerun('app-db', '--force');
    expect(forced.code, forced.stdout).toBe(0);
    const last = await rerun();
    expect(last.code, last.stdout).toBe(0);
    expect(namesOf(database)).toEqual(['Ada']);
    expect(readFileSync(join(uploads, 'a.txt'), 'utf8')).toBe('hello');
    expect(existsSync(`${uploads}.mine/a.txt`)).toBe(true);
  });

  test('goes on with PostgreSQL too, and takes no database of that name for its own', async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const url = await server.createDatabase('harbor');
    await server.script("CREATE TABLE users (name text); INSERT INTO users VALUES ('Ada')", 'harbor');
    const { rerun, killAt } = await bootstrapped((folder) => {
      const file = join(folder, 'lifeboat.yaml');
      const dataset = `datasets:\n  orders: { type: postgres, url: "${url}", rpo: 1h, rto: 1h }`;
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^datasets:$/m, dataset));
    });
    await server.query('DROP DATABASE harbor');
    await killAt('restored orders');
    await server.query("INSERT INTO users VALUES ('Grace')", 'harbor');
    // The same rows under the same name, and not what was restored.
    await server.query('ALTER DATABASE harbor RENAME TO harbor_back');
    await server.query('CREATE DATABASE harbor TEMPLATE harbor_back');
    const stopped = await rerun('orders');
    expect(JSON.parse(stopped.stdout).datasets).toMatchObject([{ error: { code: 'recovery-target-taken' } }]);
    await server.query('ALTER DATABASE harbor RENAME TO mine');
    await server.query('ALTER DATABASE harbor_back RENAME TO harbor');
    const back = await rerun('orders');
    expect(back.code, back.stdout).toBe(0);
    expect(JSON.parse(back.stdout).datasets).toMatchObject([{ dataset: 'orders', state: 'was back' }]);
    expect(await server.query('SELECT name FROM users', 'harbor')).toEqual([{ name: 'Ada' }, { name: 'Grace' }]);
    await server.query('DROP DATABASE harbor');
    const anew = await rerun('orders');
    expect(JSON.parse(anew.stdout).datasets).toMatchObject([{ dataset: 'orders', state: 'back' }]);
  });
});

/** A bare machine with the configuration back, where the second command is run again and again. */
async function bootstrapped(prepare?: Parameters<typeof disaster>[0]) {
  const done = await disaster(prepare);
  const words = secondCommand((await done.run('bootstrap', done.vault, '--identity', done.key, '--trust')).stdout);
  return {
    lost: done.lost,
    rerun: (...more: string[]) => done.run(...words, ...more, '--json'),
    killAt: (moment: Moment, ...more: string[]) => killAt(done, moment, [...words, ...more]),
  };
}

/** Runs the command, which kills itself at that moment. */
async function killAt({ key }: Disaster, moment: Moment, words: readonly string[]): Promise<void> {
  const folder = dirname(key);
  const preload = fileURLToPath(new URL('../support/die-at-progress.ts', import.meta.url));
  const child = spawn(bin, words, {
    cwd: join(folder, 'bare'),
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      LIFEBOAT_STATE_DIR: join(folder, 'bare/state'),
      NODE_OPTIONS: `--import=${preload}`,
      DIE_AT: moment,
    },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
}

function changeIn(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

function namesOf(path: string): unknown[] {
  using database = new DatabaseSync(path);
  return database
    .prepare('SELECT name FROM users ORDER BY id')
    .all()
    .map(({ name }) => name);
}
