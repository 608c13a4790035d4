import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { everything, newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf, type KeptContents } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { remainsIn } from '../../../test/support/tree.ts';
import { startWriter } from '../../../test/support/writer-process.ts';
import { systemClock } from '../../core/clock.ts';
import { startRun } from '../../core/run.ts';
import { sqliteSource } from './source.ts';

async function newDatabase(sql: string) {
  const place = await temporaryFolder();
  const path = join(place, 'app.db');
  write(path, sql);
  const source = sqliteSource({ name: 'app', path, workFolder: place });
  return { place, path, source };
}

function write(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

async function bytesOf(contents: KeptContents): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of contents.read(contents.stored[0]!.path)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function restoreBeside(source: ReturnType<typeof sqliteSource>, contents: KeptContents, place: string) {
  const into = join(place, `back-${performance.now()}.db`);
  const restored = await source.restore(contents, { ...everything, into }, newRun());
  return { into, restored };
}

const ledger = `CREATE TABLE debit (id INTEGER PRIMARY KEY, amount INTEGER, filler BLOB);
  CREATE TABLE credit (id INTEGER PRIMARY KEY, amount INTEGER) WITHOUT ROWID;`;

describe.each(['wal', 'delete', 'persist'])('while another process writes in %s mode', (mode) => {
  test('Q21: the copy is whole, of one moment, and holds all that was committed before', async () => {
    const { place, path, source } = await newDatabase(
      `PRAGMA journal_mode = ${mode}; PRAGMA synchronous = OFF; ${ledger}
       WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 8000)
       INSERT INTO debit SELECT i, i * 3, randomblob(900) FROM c;
       INSERT INTO credit SELECT id, -amount FROM debit;`,
    );
    const writer = await startWriter(path, join(place, 'log'));
    for (let round = 0; round < 2; round++) {
      const before = writer.committed();
      const contents = await contentsOf(await source.capture(newRun()));
      const after = writer.committed();
      // The writer got on meanwhile, or does so now: nothing of ours holds it up.
      await writer.progress(3);
      const { into } = await restoreBeside(source, contents, place);
      const { actual, integrity } = await source.measure(into, contents.expectations!, newRun());
      expect(integrity.map(({ detail }) => detail)).toEqual(['ok', 'ok']);
      expect(actual).toEqual(contents.expectations);
      using copy = new DatabaseSync(into, { readOnly: true });
      const found = copy
        .prepare(
          'SELECT max(d.id) AS last, count(d.id) AS debits, count(c.id) AS pairs, sum(d.amount + c.amount) AS sum FROM debit d LEFT JOIN credit c USING (id)',
        )
        .get()!;
      const last = Number(found.last);
      expect(found).toMatchObject({ debits: last, pairs: last, sum: 0 });
      expect(last).toBeGreaterThanOrEqual(before);
      expect(last).toBeLessThanOrEqual(after + 1);
    }
    await writer.kill();
  });
});

test('a transaction that another process has begun and not committed is not in it', async () => {
  const { place, path, source } = await newDatabase(
    `PRAGMA journal_mode = wal; ${ledger} INSERT INTO debit VALUES (1, 1, NULL)`,
  );
  using other = new DatabaseSync(path);
  other.exec('BEGIN; INSERT INTO debit VALUES (2, 2, NULL)');
  const contents = await contentsOf(await source.capture(newRun()));
  other.exec('COMMIT');
  const { into } = await restoreBeside(source, contents, place);
  using copy = new DatabaseSync(into);
  expect(copy.prepare('SELECT count(*) AS n FROM debit').get()).toEqual({ n: 1 });
});

test('with a rollback journal, a writer in the middle of its commit is waited for', async () => {
  const { path, source } = await newDatabase(`${ledger} INSERT INTO debit VALUES (1, 1, NULL)`);
  const other = new DatabaseSync(path);
  other.exec('BEGIN EXCLUSIVE; INSERT INTO debit VALUES (2, 2, NULL)');
  const capturing = source.capture(newRun()).then(contentsOf);
  setTimeout(() => {
    other.exec('COMMIT');
    other.close();
  }, 200);
  const { expectations } = await capturing;
  expect(expectations?.tables.find(({ table }) => table === 'debit')?.rows).toBe(2);
});

test('a hot journal of a killed program is rolled back, and only what was committed is captured', async () => {
  const { path, source } = await newDatabase(`${ledger}
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000)
    INSERT INTO debit SELECT i, 1, zeroblob(1000) FROM c`);
  const program = `const d = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)});
    d.exec('PRAGMA cache_size = 5; BEGIN; UPDATE debit SET amount = 2, filler = randomblob(1000)');
    process.kill(process.pid, 'SIGKILL')`;
  spawnSync(process.execPath, ['-e', program]);
  expect(fs.statSync(`${path}-journal`).size).toBeGreaterThan(0);
  const contents = await contentsOf(await source.capture(newRun()));
  using copy = new DatabaseSync(path);
  expect(copy.prepare('SELECT sum(amount) AS sum FROM debit').get()).toEqual({ sum: 2000 });
  expect(contents.captured.problems).toEqual([]);
});

test('Q21: what is only in the log of a killed program is captured too', async () => {
  const { place, path, source } = await newDatabase(`PRAGMA journal_mode = wal; ${ledger}`);
  const program = `const d = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)});
    d.exec('INSERT INTO debit VALUES (7, 7, NULL)'); process.kill(process.pid, 'SIGKILL')`;
  spawnSync(process.execPath, ['-e', program]);
  const contents = await contentsOf(await source.capture(newRun()));
  const { into } = await restoreBeside(source, contents, place);
  using copy = new DatabaseSync(into);
  expect(copy.prepare('SELECT id FROM debit').all()).toEqual([{ id: 7 }]);
});

test.each([512, 4096, 65536])('pages of %i bytes come back byte by byte', async (pageSize) => {
  const { path, place, source } = await newDatabase(
    `PRAGMA page_size = ${pageSize}; PRAGMA user_version = 42; PRAGMA application_id = 4711; ${ledger}
     WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)
     INSERT INTO debit SELECT i, i, randomblob(2000) FROM c; DELETE FROM debit WHERE id % 3 = 0`,
  );
  const contents = await contentsOf(await source.capture(newRun()));
  expect(contents.facts).toMatchObject({ pageSize, userVersion: 42, applicationId: 4711 });
  const [live, kept] = [fs.readFileSync(path), await bytesOf(contents)];
  expect(kept.length).toBe(live.length);
  // Q11: pages stay in their places, so that unchanged ones are recognised. Only the header counts its own changes.
  expect(kept.subarray(100).equals(live.subarray(100))).toBe(true);
  const again = await contentsOf(await source.capture(newRun()));
  expect((await bytesOf(again)).equals(kept)).toBe(true);
  const { into } = await restoreBeside(source, contents, place);
  expect(fs.readFileSync(into).equals(kept)).toBe(true);
});

test('an empty file is an empty database, and comes back as one', async () => {
  const place = await temporaryFolder();
  const path = join(place, 'app.db');
  fs.writeFileSync(path, '', { mode: 0o600 });
  const source = sqliteSource({ name: 'app', path, workFolder: place });
  await source.inspect(newRun());
  const contents = await contentsOf(await source.capture(newRun()));
  expect(contents.expectations?.tables).toEqual([]);
  const { into } = await restoreBeside(source, contents, place);
  expect(fs.statSync(into).size).toBe(0);
  expect((await source.measure(into, contents.expectations!, newRun())).actual).toEqual(contents.expectations);
});

test('a database without a row is captured with its definitions', async () => {
  const { source } = await newDatabase(ledger);
  const { expectations } = await contentsOf(await source.capture(newRun()));
  expect(expectations?.tables.map(({ table, rows }) => [table, rows])).toEqual([
    ['sqlite_schema', 2],
    ['credit', 0],
    ['debit', 0],
  ]);
});

test('a damaged page is captured as it is, and said', async () => {
  const { path, source } = await newDatabase(`${ledger}
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)
    INSERT INTO debit SELECT i, i, randomblob(500) FROM c`);
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, Buffer.alloc(4096, 0x55), 0, 4096, 4096 * 8);
  fs.closeSync(file);
  const { captured } = await contentsOf(await source.capture(newRun()));
  expect(captured.problems).toMatchObject([{ code: 'sqlite-damaged' }, { code: 'sqlite-not-compared' }]);
});

test('Q22: what is no database is told from what is encrypted', async () => {
  const place = await temporaryFolder();
  const open = (name: string, bytes: Uint8Array) => {
    fs.writeFileSync(join(place, name), bytes);
    return sqliteSource({ name, path: join(place, name), workFolder: place });
  };
  const text = open('text', Buffer.from('name;amount\n'.repeat(500)));
  await expect(text.inspect(newRun())).rejects.toMatchObject({
    code: 'sqlite-not-a-database',
    message: expect.stringMatching(/is no SQLite database\.$/),
  });
  const noise = open('noise', crypto.getRandomValues(new Uint8Array(8192)));
  await expect(noise.capture(newRun())).rejects.toMatchObject({
    code: 'sqlite-not-a-database',
    message: expect.stringContaining('encrypted'),
  });
  expect(remainsIn(place)).toEqual([]);
});

test('an interruption in the middle of the copy leaves nothing behind', async () => {
  const { place, source } = await newDatabase(`${ledger}
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 6000)
    INSERT INTO debit SELECT i, i, randomblob(4000) FROM c`);
  const interrupt = new AbortController();
  const run = startRun({
    clock: systemClock,
    signal: interrupt.signal,
    onEvent: ({ type }) => type === 'progress' && interrupt.abort(new Error('interrupted')),
  });
  await expect(source.capture(run)).rejects.toThrow('interrupted');
  expect(remainsIn(place)).toEqual([]);
});

test('copies of crashed runs are removed, those of living ones are not', async () => {
  const { place, source } = await newDatabase(ledger);
  fs.mkdirSync(join(place, 'lifeboat-sqlite.999999999-1.abcdef'));
  await using living = await source.capture(newRun());
  const kept = remainsIn(place).filter((name) => !name.includes('/'));
  expect(kept).toHaveLength(1);
  await contentsOf(await source.capture(newRun()));
  expect(remainsIn(place)).toEqual(expect.arrayContaining(kept));
  await living[Symbol.asyncDispose]();
  expect(remainsIn(place)).toEqual([]);
});

test('Q6: the live database is opened for reading only, and its log stays what it was', async () => {
  const { path, source } = await newDatabase(`PRAGMA journal_mode = wal; ${ledger}`);
  const program = `const d = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)});
    d.exec('INSERT INTO debit VALUES (7, 7, NULL)'); process.kill(process.pid, 'SIGKILL')`;
  spawnSync(process.execPath, ['-e', program]);
  const before = [fs.readFileSync(path), fs.readFileSync(`${path}-wal`)];
  await source.inspect(newRun());
  await contentsOf(await source.capture(newRun()));
  expect([fs.readFileSync(path), fs.readFileSync(`${path}-wal`)]).toEqual(before);
});
