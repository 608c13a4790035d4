import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { everything, newRun } from '../../../test/suites/source.suite.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { remainsIn } from '../../../test/support/tree.ts';
import { sqliteSource } from './source.ts';

async function capturedShop() {
  const place = await temporaryFolder();
  const path = join(place, 'shop.db');
  using database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = wal; PRAGMA page_size = 8192;
    CREATE TABLE customer (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
    CREATE TABLE "odd ""name""" (customer REFERENCES customer, twice AS (customer * 2), rowid TEXT);
    CREATE INDEX by_customer ON "odd ""name""" (customer);
    CREATE TABLE loose (value);
    CREATE TRIGGER count_up AFTER INSERT ON customer BEGIN INSERT INTO loose VALUES ('fired'); END;
    CREATE VIRTUAL TABLE search USING fts5(body);
    INSERT INTO customer (id, name) VALUES (5, 'Åse'), (9, 'Bo');
    DELETE FROM loose;
    INSERT INTO loose (rowid, value) VALUES (100, 'kept');
    INSERT INTO "odd ""name""" VALUES (5, 'text')`);
  database.close();
  const source = sqliteSource({ name: 'shop', path, workFolder: place });
  const contents = await contentsOf(await source.capture(newRun()));
  return { place, path, source, contents };
}

function query(path: string, sql: string): unknown[] {
  using database = new DatabaseSync(path);
  return database.prepare(sql).all();
}

function write(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

describe('a whole database', () => {
  test('Q12: logs left beside the target are not applied to the restored database', async () => {
    const { path, source, contents } = await capturedShop();
    // A log and a journal of the same database at another time, as a crash would leave them.
    using other = new DatabaseSync(path);
    other.exec("UPDATE customer SET name = 'later'");
    const log = fs.readFileSync(`${path}-wal`);
    other.close();
    fs.writeFileSync(`${path}-wal`, log);
    fs.writeFileSync(`${path}-journal`, 'old');
    await source.restore(contents, { force: true, only: [] }, newRun());
    expect(['-wal', '-shm', '-journal'].filter((ending) => fs.existsSync(path + ending))).toEqual([]);
    expect(query(path, 'SELECT name FROM customer')).toEqual([{ name: 'Åse' }, { name: 'Bo' }]);
  });

  test('sqlite-folder-owner: a folder that is gone comes back with its rights and owner, one that is there keeps its own', async () => {
    const place = await temporaryFolder();
    const folder = join(place, 'data');
    const path = join(folder, 'app.db');
    fs.mkdirSync(folder);
    write(path, 'CREATE TABLE t (i)');
    fs.chmodSync(folder, 0o2770);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) fs.chownSync(folder, 61_234, 61_235);
    fs.chmodSync(folder, 0o2770);
    const source = sqliteSource({ name: 'app', path, workFolder: place });
    const contents = await contentsOf(await source.capture(newRun()));
    fs.rmSync(folder, { recursive: true });
    await source.restore(contents, { force: false, only: [] }, newRun());
    const { mode, uid, gid } = fs.statSync(folder);
    expect(mode & 0o7777).toBe(0o2770);
    if (isRoot) expect([uid, gid]).toEqual([61_234, 61_235]);
    fs.chmodSync(folder, 0o755);
    await source.restore(contents, { force: true, only: [] }, newRun());
    expect(fs.statSync(folder).mode & 0o7777).toBe(0o755);
  });

  test('Q12: also when only the logs are left', async () => {
    const { path, source, contents } = await capturedShop();
    fs.renameSync(path, `${path}-wal`);
    await source.restore(contents, { force: false, only: [] }, newRun());
    expect(query(path, 'SELECT count(*) AS n FROM customer')).toEqual([{ n: 2 }]);
  });

  test('is not put under a program that has the old one open', async () => {
    const { place, path, source, contents } = await capturedShop();
    {
      using _open = new DatabaseSync(path);
      _open.prepare('SELECT 1 FROM customer').get();
      await expect(source.restore(contents, { force: true, only: [] }, newRun())).rejects.toMatchObject({
        code: 'target-in-use',
        message: expect.stringContaining(String(process.pid)),
      });
    }
    expect(remainsIn(place)).toEqual([]);
    await source.restore(contents, { force: true, only: [] }, newRun());
  });

  test('goes into a folder under its own name, and keeps its mode and owner', async () => {
    const { place, path, source } = await capturedShop();
    fs.chmodSync(path, 0o640);
    if (process.getuid?.() === 0) fs.chownSync(path, 1234, 4321);
    const contents = await contentsOf(await source.capture(newRun()));
    fs.mkdirSync(join(place, 'there'));
    const { where } = await source.restore(contents, { ...everything, into: join(place, 'there') }, newRun());
    expect(where).toBe(join(place, 'there/shop.db'));
    const [old, restored] = [fs.statSync(path), fs.statSync(where)];
    expect([restored.mode, restored.uid, restored.gid]).toEqual([old.mode, old.uid, old.gid]);
  });
});

describe('chosen tables', () => {
  test('come into a new file, with rows, row ids, indexes, triggers and counters, and nothing else', async () => {
    const { place, source, contents } = await capturedShop();
    const into = join(place, 'some.db');
    await source.restore(contents, { into, force: false, only: ['Customer', '"odd ""name"""'] }, newRun());
    expect(query(into, "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2")).toEqual([
      { type: 'index', name: 'by_customer' },
      { type: 'table', name: 'customer' },
      { type: 'table', name: 'odd "name"' },
      { type: 'trigger', name: 'count_up' },
    ]);
    expect(query(into, 'SELECT * FROM customer')).toEqual([
      { id: 5, name: 'Åse' },
      { id: 9, name: 'Bo' },
    ]);
    expect(query(into, 'SELECT * FROM "odd ""name"""')).toEqual([{ customer: 5, twice: 10, rowid: 'text' }]);
    expect(query(into, 'SELECT seq FROM sqlite_sequence')).toEqual([{ seq: 9 }]);
    expect(query(into, 'PRAGMA page_size')).toEqual(query(join(place, 'shop.db'), 'PRAGMA page_size'));
    expect(remainsIn(place)).toEqual([]);
  });

  test('come beside the live database when nothing is said', async () => {
    const { place, source, contents } = await capturedShop();
    const only = ['loose'];
    const first = await source.restore(contents, { force: false, only }, newRun());
    const second = await source.restore(contents, { force: false, only }, newRun());
    expect([first.where, second.where]).toEqual([join(place, 'shop-tables-1.db'), join(place, 'shop-tables-2.db')]);
    expect(query(first.where, 'SELECT rowid, value FROM loose')).toEqual([{ rowid: 100, value: 'kept' }]);
  });

  test('replace those of a live database when forced, in one transaction, and leave the others', async () => {
    const { path, source, contents } = await capturedShop();
    using live = new DatabaseSync(path);
    live.exec("UPDATE loose SET value = 'changed'; UPDATE customer SET name = 'changed'; DROP INDEX by_customer");
    await source.restore(contents, { force: true, only: ['loose'] }, newRun());
    expect(live.prepare('SELECT rowid, value FROM loose').all()).toEqual([{ rowid: 100, value: 'kept' }]);
    expect(live.prepare('SELECT DISTINCT name FROM customer').all()).toEqual([{ name: 'changed' }]);
    const { problems } = await source.restore(contents, { force: true, only: ['odd "name"'] }, newRun());
    expect(problems).toEqual([]);
    expect(live.prepare("SELECT 1 AS there FROM sqlite_schema WHERE name = 'by_customer'").get()).toEqual({ there: 1 });
  });

  test('whose references lead nowhere in the live database are told of', async () => {
    const { path, source, contents } = await capturedShop();
    write(path, 'PRAGMA foreign_keys = OFF; DELETE FROM customer');
    const { problems } = await source.restore(contents, { force: true, only: ['odd "name"'] }, newRun());
    expect(problems).toMatchObject([{ code: 'sqlite-references-dangling' }]);
  });

  test('that cannot come alone, or are not there, are refused before anything is written', async () => {
    const { path, place, source, contents } = await capturedShop();
    const before = fs.readFileSync(path);
    const attempt = (only: string[]) => source.restore(contents, { force: true, only }, newRun());
    await expect(attempt(['loose', 'nothing'])).rejects.toMatchObject({ code: 'chosen-missing' });
    await expect(attempt(['search'])).rejects.toMatchObject({ code: 'sqlite-table-not-separable' });
    await expect(attempt(['sqlite_sequence'])).rejects.toMatchObject({ code: 'sqlite-table-not-separable' });
    expect(fs.readFileSync(path).equals(before)).toBe(true);
    expect(remainsIn(place)).toEqual([]);
  });

  test('that fail half-way leave the live database as it was', async () => {
    const { path, source, contents } = await capturedShop();
    // A view that is in the way of the second table's name makes it fail after the first was replaced.
    write(
      path,
      "PRAGMA foreign_keys = OFF; DELETE FROM loose; DROP TABLE customer; CREATE VIEW customer AS SELECT 'in the way'",
    );
    const attempt = source.restore(contents, { force: true, only: ['loose', 'customer'] }, newRun());
    await expect(attempt).rejects.toMatchObject({ code: 'sqlite-tables-not-restored' });
    expect(query(path, 'SELECT count(*) AS n FROM loose')).toEqual([{ n: 0 }]);
    expect(query(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  });

  test('of a UTF-16 database keep their texts', async () => {
    const place = await temporaryFolder();
    const path = join(place, 'wide.db');
    write(path, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a); INSERT INTO t VALUES ('Åse 🛟')");
    const source = sqliteSource({ name: 'wide', path, workFolder: place });
    const contents = await contentsOf(await source.capture(newRun()));
    const { where } = await source.restore(contents, { force: false, only: ['t'] }, newRun());
    expect(query(where, 'SELECT a FROM t')).toEqual([{ a: 'Åse 🛟' }]);
  });

  test.each([
    ['several statements', "CREATE TABLE t (a text); COMMIT; ATTACH '%' AS pwn; CREATE TABLE pwn.x (a); BEGIN"],
    ['another name', 'CREATE TABLE other (a text)'],
    ['another database', 'CREATE TABLE temp.t (a text)'],
    ['rows of a query', 'CREATE TABLE t AS SELECT * FROM sqlite_schema'],
    ['a virtual table', 'CREATE VIRTUAL TABLE t USING fts5(a)'],
    ['another statement', "ATTACH '%' AS t"],
    ['a file to write', "VACUUM INTO '%'"],
    ['a setting', 'PRAGMA writable_schema = ON'],
    ['a program', "CREATE TABLE t (a text DEFAULT (load_extension('%')))"],
  ])('H5: whose definition was forged to be %s do no harm', async (_what, sql) => {
    const { place, path, source } = await capturedShop();
    const mark = join(place, 'mark');
    forge(path, 't', sql.replace('%', mark));
    // SQLite itself refuses to read some of them already.
    const contents = await source
      .capture(newRun())
      .then(contentsOf)
      .catch(() => undefined);
    if (contents === undefined) return;
    const into = join(place, 'out.db');
    await source.restore(contents, { into, force: false, only: ['t'] }, newRun()).catch(() => {});
    expect(fs.existsSync(mark)).toBe(false);
    expect(remainsIn(place)).toEqual([]);
    if (fs.existsSync(into)) expect(query(into, 'SELECT name FROM sqlite_schema')).toEqual([{ name: 't' }]);
  });

  test.each([
    ['customer', 'count_up', 'CREATE TRIGGER count_up AFTER INSERT ON customer BEGIN SELECT 1; END'],
    ['"odd ""name"""', 'by_customer', 'CREATE INDEX by_customer ON "odd ""name""" (customer)'],
    ['loose', 't', 'CREATE TABLE loose (value)'],
  ])('H5: %s, of which %s was forged to do more, is refused', async (table, name, start) => {
    const { place, path, source } = await capturedShop();
    const mark = join(place, 'mark');
    forge(path, name === 't' ? 'loose' : name, `${start}; COMMIT; ATTACH '${mark}' AS pwn; CREATE TABLE pwn.x (a)`);
    const contents = await contentsOf(await source.capture(newRun()));
    const into = join(place, 'out.db');
    const attempt = source.restore(contents, { into, force: false, only: [table] }, newRun());
    await expect(attempt).rejects.toMatchObject({ code: 'sqlite-tables-not-restored' });
    expect([fs.existsSync(mark), fs.existsSync(into), remainsIn(place)]).toEqual([false, false, []]);
  });
});

/** As whoever may write the file can. */
function forge(path: string, name: string, sql: string): void {
  using database = new DatabaseSync(path, { defensive: false });
  if (name === 't') database.exec('CREATE TABLE t (a text)');
  database.exec('PRAGMA writable_schema = ON');
  database.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?').run(sql, name);
}
