import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { hasWalResetBug } from './dangers.ts';
import { checkForeignKeys, checkIntegrity, foreignKeysOf } from './integrity.ts';

test('dangling references are counted and named', () => {
  using database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: false });
  database.exec(
    'CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (NULL), (7)',
  );
  expect(checkForeignKeys(foreignKeysOf(database), undefined)).toMatchObject({
    ok: false,
    looked: 1,
    detail: '1 row of c refers to a missing row of p',
  });
});

test('a broken index is found', async () => {
  const path = join(await temporaryFolder(), 'a.db');
  {
    using database = new DatabaseSync(path);
    database.exec("CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES ('here'), ('there')");
  }
  const bytes = fs.readFileSync(path);
  // The last page is the index: what it says is no longer what the table says.
  bytes.write('tHere', bytes.lastIndexOf('there'));
  fs.writeFileSync(path, bytes);
  using database = new DatabaseSync(path);
  expect(checkIntegrity(database, 'full')).toMatchObject({ ok: false, detail: expect.stringContaining('index i') });
});

test('V9: a sound database is not failed for functions and collations that only its application has', async () => {
  const path = join(await temporaryFolder(), 'a.db');
  {
    using database = new DatabaseSync(path);
    database.function('secret', { deterministic: true }, (value) => value);
    database.exec('CREATE TABLE t (a); CREATE INDEX i ON t (secret(a)); INSERT INTO t VALUES (1); CREATE TABLE u (b)');
  }
  using database = new DatabaseSync(path);
  expect(checkIntegrity(database, 'full')).toMatchObject({ ok: true, detail: expect.stringContaining('not checked') });
});

test('Q1: the versions with the WAL-reset bug are known', () => {
  const unsafe = ['3.7.0', '3.40.1', '3.44.5', '3.45.0', '3.49.2', '3.50.6', '3.51.0', '3.51.2'];
  const safe = ['3.6.23', '3.44.6', '3.50.7', '3.51.3', '3.52.0', '3.53.4', '4.0.0'];
  expect(unsafe.filter((version) => !hasWalResetBug(version))).toEqual([]);
  expect(safe.filter(hasWalResetBug)).toEqual([]);
  expect(hasWalResetBug(process.versions.sqlite!)).toBe(false);
});
