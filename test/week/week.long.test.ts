import { execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { bin } from '../cli/lifeboat.ts';
import { temporaryFolder } from '../support/temp.ts';

const hourMs = 3_600_000;
const begin = Date.UTC(2027, 1, 1);

/** A small system on a machine whose clock is ours: each command runs at the moment that it is given, and so do the clocks of its disks. */
async function machine() {
  const folder = await temporaryFolder();
  const clock = join(folder, 'moved-clock.so');
  const source = join(import.meta.dirname, 'moved-clock.c');
  execFileSync('gcc', ['-O2', '-shared', '-fPIC', '-o', clock, source, '-ldl']);
  const place = join(folder, 'app');
  const second = join(folder, 'second');
  for (const path of [place, join(place, 'uploads'), second]) fs.mkdirSync(path);
  let movedSeconds = Math.round((begin - Date.now()) / 1000);

  /** What lies on the disks keeps the time that it had. */
  const keepTimes = (bySeconds: number) => {
    for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      const found = fs.lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined || found.isSymbolicLink()) continue;
      fs.utimesSync(path, found.atimeMs / 1000 - bySeconds, found.mtimeMs / 1000 - bySeconds);
    }
  };
  const setClock = (atMs: number) => {
    const moved = Math.round((atMs - Date.now()) / 1000);
    keepTimes(moved - movedSeconds);
    movedSeconds = moved;
  };
  const run = (...words: readonly string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
      const env = {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        LIFEBOAT_STATE_DIR: join(folder, 'state'),
        LD_PRELOAD: clock,
        MOVED_BY: String(movedSeconds),
      };
      execFile(bin, words, { cwd: place, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        done({ code: error ? Number(error.code) : 0, stdout, stderr });
      });
    });
  return { place, second, setClock, run };
}

/** What is amiss, from one hour since the week began up to another. */
const amiss = {
  /** cron did not run. */
  noBackups: [3 * 24, 3 * 24 + 10],
  /** The second disk is not mounted. */
  secondAway: [4 * 24 + 12, 4 * 24 + 18],
  /** The application's database is not there. */
  databaseGone: [5 * 24 + 10, 5 * 24 + 13],
} as const;
const drillsAt = [5, 24 * 7 + 5];
const during = ([from, to]: readonly [number, number] | readonly number[], hour: number) => hour >= from! && hour < to!;

interface Told {
  readonly ok: boolean;
  readonly answer: { readonly lossMs: number; readonly recoveryMs: number | null };
  readonly datasets: readonly {
    readonly name: string;
    readonly troubles: readonly { severity: string; code: string }[];
  }[];
  readonly troubles: readonly { readonly severity: string; readonly code: string }[];
}

/** What a person would say is wrong at 40 past that hour, with backups at 5 past each and an objective of 2 hours. */
function wrongAt(hour: number): string[] {
  const lastBackup = (fails: (at: number) => boolean) => {
    let at = hour;
    while (at >= 0 && fails(at)) at--;
    return at;
  };
  const idle = (at: number) => during(amiss.noBackups, at);
  const isOld = (at: number) => (hour - at) * 60 + 35 > 120;
  const wrong: string[] = [];
  if (isOld(lastBackup((at) => idle(at) || during(amiss.databaseGone, at)))) wrong.push('app-db rpo-missed');
  if (isOld(lastBackup(idle))) wrong.push('uploads rpo-missed');
  if (during(amiss.secondAway, hour)) wrong.push('destination-unreachable');
  if (hour < drillsAt[0]!) wrong.push('never-proved');
  return wrong.sort();
}

test('a week by cron: the exit codes of every command, and what status says, are true at every hour', async () => {
  const { place, second, setClock, run } = await machine();
  const at = (hour: number, minute: number) => setClock(begin + hour * hourMs + minute * 60_000);
  const database = join(place, 'app.db');
  const write = (sql: string) => {
    using open = {
      db: new DatabaseSync(database),
      [Symbol.dispose]() {
        this.db.close();
      },
    };
    open.db.exec(sql);
  };
  write('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)');
  fs.writeFileSync(join(place, 'uploads/first'), 'first');
  at(0, 0);
  expect((await run('init')).code).toBe(0);
  const file = join(place, 'lifeboat.yaml');
  const text = fs.readFileSync(file, 'utf8').replace(/rpo: \w+/g, 'rpo: 2h');
  fs.writeFileSync(
    file,
    text.replace(/^destinations:\n/m, `destinations:\n  second: { type: local, path: ${second}/vault }\n`),
  );

  for (let hour = 0; hour < 24 * 7 + 8; hour++) {
    const when = `hour ${hour}`;
    if (hour === amiss.secondAway[0]) fs.renameSync(second, `${second}.away`);
    if (hour === amiss.secondAway[1]) fs.renameSync(`${second}.away`, second);
    if (hour === amiss.databaseGone[0]) fs.renameSync(database, `${database}.gone`);
    if (hour === amiss.databaseGone[1]) fs.renameSync(`${database}.gone`, database);
    const isGone = during(amiss.databaseGone, hour);
    if (!isGone) write(`INSERT INTO users (name) VALUES (hex(randomblob(50)))`);
    if (hour % 4 === 0) fs.writeFileSync(join(place, `uploads/${hour}`), `upload of hour ${hour}`);
    if (!during(amiss.noBackups, hour)) {
      at(hour, 5);
      const { code, stdout, stderr } = await run('backup', '--quiet');
      const expected = isGone ? 2 : during(amiss.secondAway, hour) ? 1 : 0;
      expect(code, `backup at ${when}: ${stdout}${stderr}`).toBe(expected);
      // cron mails whatever is said.
      if (code === 0) expect(stdout + stderr, `backup at ${when}`).toBe('');
    }
    if (hour % 24 === 4) {
      for (const command of ['verify', 'prune']) {
        at(hour, 30);
        const { code, stdout, stderr } = await run(command, '--quiet');
        expect([code, stdout + stderr], `${command} at ${when}`).toEqual([0, '']);
      }
    }
    if (drillsAt.includes(hour)) {
      at(hour, 10);
      const { code, stdout, stderr } = await run('drill', '--quiet', '--identity', 'lifeboat-keys/daily.txt');
      expect([code, stdout + stderr], `drill at ${when}`).toEqual([0, '']);
    }
    at(hour, 40);
    const { code, stdout } = await run('status', '--json');
    const told = JSON.parse(stdout) as Told;
    const wrong = [
      ...told.troubles.filter(({ severity }) => severity === 'bad').map(({ code }) => code),
      ...told.datasets.flatMap(({ name, troubles }) =>
        troubles.filter(({ severity }) => severity === 'bad').map(({ code }) => `${name} ${code}`),
      ),
    ].sort();
    expect(wrong, `status at ${when}`).toEqual(wrongAt(hour));
    expect(code, `status at ${when}`).toBe(wrong.length === 0 ? 0 : 1);
    expect(told.answer.recoveryMs === null, `status at ${when}`).toBe(hour < drillsAt[0]!);
  }
  const listed = JSON.parse((await run('list', 'uploads', '--json')).stdout);
  const kept: unknown[] = listed.datasets[0].restorePoints.filter(
    ({ keptBy }: { keptBy: string[] }) => keptBy.length > 0,
  );
  // 24 hours, 7 days, and weeks and months that are among these.
  expect(kept.length).toBeGreaterThanOrEqual(27);
  expect(kept.length).toBeLessThanOrEqual(34);
});
