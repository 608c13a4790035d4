import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkExpectations } from '../../src/operations/drill/checks/expectations.ts';
import { unlessEmpty } from '../../src/operations/drill/checks/history.ts';
import { sqliteSource } from '../../src/sources/sqlite/source.ts';
import { everything, newRun } from '../suites/source.suite.ts';
import { contentsOf } from '../support/contents.ts';
import { temporaryFolder } from '../support/temp.ts';

async function protect(sql: string, change: (database: DatabaseSync) => void = () => {}) {
  const place = await temporaryFolder();
  const path = join(place, 'app.db');
  {
    using database = new DatabaseSync(path, { enableForeignKeyConstraints: false, defensive: false });
    database.exec(sql);
    change(database);
  }
  const source = sqliteSource({ name: 'app', path, workFolder: place });
  return { place, path, source };
}

/** Backs it up, restores it, lets `spoil` have the copy, and measures that as a drill does. */
async function roundTrip(
  { source }: Awaited<ReturnType<typeof protect>>,
  spoil: (database: DatabaseSync) => void = () => {},
) {
  const contents = await contentsOf(await source.capture(newRun()));
  const into = join(await temporaryFolder(), 'back.db');
  await source.restore(contents, { ...everything, into }, newRun());
  {
    using database = new DatabaseSync(into, { enableForeignKeyConstraints: false });
    spoil(database);
  }
  const measured = await source.measure(into, contents.expectations!, newRun(), contents);
  const compared = checkExpectations(contents.expectations, measured.actual, contents.facts);
  return { contents, measured, verdict: unlessEmpty(compared, contents, false) };
}

/** As an application's own collation would have left it: nobody else knows the name. */
function foreignCollation(database: DatabaseSync): void {
  database.exec("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'NAT')");
}

describe('sqlite-01: a table that nobody could look at', () => {
  const customers = `CREATE TABLE customers (name TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID;
    INSERT INTO customers VALUES ('a', 1), ('b', 2);`;

  test('proves nothing, and is named by the backup and the comparison', async () => {
    const { contents, verdict } = await roundTrip(await protect(customers, foreignCollation));
    expect(contents.captured.problems).toMatchObject([
      {
        code: 'sqlite-not-compared',
        message: expect.stringMatching(/customers.*a collation of the application's own/),
      },
    ]);
    expect(contents.expectations?.tables.map(({ table }) => table)).toEqual(['sqlite_schema']);
    expect(verdict).toMatchObject({
      verdict: 'error',
      message: expect.stringMatching(
        /No row of it was compared.*customers \(its key has a collation of the application's own\)/,
      ),
    });
  });

  test('takes nothing from those beside it, which are compared', async () => {
    const wild = await protect(`${customers} CREATE TABLE orders (n); INSERT INTO orders VALUES (7)`, foreignCollation);
    const { verdict } = await roundTrip(wild);
    expect(verdict).toMatchObject({
      verdict: 'pass',
      message: expect.stringMatching(/^As recorded: 1 row in 1 table.*customers/),
    });
    const { verdict: broken } = await roundTrip(wild, (copy) => copy.exec('DELETE FROM orders'));
    expect(broken.verdict).toBe('fail');
  });
});

describe('sqlite-02: references that lead nowhere in the source too', () => {
  const cases = {
    'a row that dangles':
      'CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id)); INSERT INTO c VALUES (9);',
    'a key to a table that is gone (Django, ticket 29182)':
      'CREATE TABLE log (u REFERENCES "auth_user__old" (id)); INSERT INTO log VALUES (1);',
    'a key to a column that is not unique':
      "CREATE TABLE users (email); CREATE TABLE notes (u REFERENCES users (email)); INSERT INTO users VALUES ('a'); INSERT INTO notes VALUES ('a');",
    'a key to a column that is not there':
      'CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE notes (u REFERENCES users (uid)); INSERT INTO notes VALUES (1);',
  };
  test.each(Object.entries(cases))('are as in the source: %s', async (_what, sql) => {
    const { measured, verdict } = await roundTrip(await protect(sql));
    expect(measured.integrity).toContainEqual(
      expect.objectContaining({
        name: 'foreign_key_check',
        ok: true,
        detail: expect.stringMatching(/^as in the source: /),
      }),
    );
    expect(verdict.verdict).toBe('pass');
  });

  test('and one more is a fault', async () => {
    const wild = await protect(cases['a row that dangles']);
    const { measured } = await roundTrip(wild, (copy) => copy.exec('INSERT INTO c VALUES (10)'));
    expect(measured.integrity).toContainEqual(
      expect.objectContaining({
        name: 'foreign_key_check',
        ok: false,
        detail: '2 rows of c refer to a missing row of p',
      }),
    );
  });
});

describe.runIf(process.getuid?.() === 0)('sqlite-04: a database with a log, on a read-only file system', () => {
  async function readOnly(sql: string, leave: (path: string) => void = () => {}) {
    const wild = await protect(`PRAGMA journal_mode = wal; CREATE TABLE t (a); ${sql}`);
    leave(wild.path);
    const mounted = await temporaryFolder();
    execFileSync('mount', ['--bind', wild.place, mounted]);
    onTestFinished(() => void execFileSync('umount', [mounted]));
    execFileSync('mount', ['-o', 'remount,bind,ro', mounted]);
    const source = sqliteSource({ name: 'app', path: join(mounted, 'app.db'), workFolder: await temporaryFolder() });
    return { ...wild, source };
  }

  test('is captured as it is', async () => {
    const { source } = await readOnly('INSERT INTO t VALUES (1)');
    await source.inspect(newRun());
    const { expectations } = await contentsOf(await source.capture(newRun()));
    expect(expectations?.tables).toContainEqual(expect.objectContaining({ table: 't', rows: 1 }));
  });

  test('whose log holds commits is refused, with the reason: they would be lost', async () => {
    const { source } = await readOnly('', (path) => {
      const program = `const d = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)});
        d.exec('INSERT INTO t VALUES (2)'); process.kill(process.pid, 'SIGKILL')`;
      try {
        execFileSync(process.execPath, ['-e', program], { stdio: 'ignore' });
      } catch {
        // It ends itself.
      }
      fs.rmSync(`${path}-shm`);
    });
    await expect(source.capture(newRun())).rejects.toMatchObject({ code: 'sqlite-log-unread' });
  });

  test('that somebody writes through another mount meanwhile is not taken for whole', async () => {
    const { source, path } = await readOnly(
      'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9000) INSERT INTO t SELECT randomblob(4000) FROM c',
    );
    let written = false;
    const run = {
      ...newRun(),
      progress() {
        if (written) return;
        written = true;
        using database = new DatabaseSync(path);
        database.exec('INSERT INTO t VALUES (3)');
      },
    };
    await expect(source.capture(run)).rejects.toMatchObject({ code: 'sqlite-copy-incomplete' });
  });
});
