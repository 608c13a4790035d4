import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe } from 'vitest';
import { type SourceFixture, sourceSuite } from '../../../test/suites/source.suite.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { remainsIn } from '../../../test/support/tree.ts';
import { sqliteSource } from './source.ts';

function opener(journalMode: string): () => Promise<SourceFixture> {
  return async () => {
    const place = await temporaryFolder();
    const path = join(place, 'app.db');
    const work = join(place, 'work');
    fs.mkdirSync(work);
    write(
      path,
      `PRAGMA journal_mode = ${journalMode};
      CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
      CREATE TABLE invoice (id TEXT PRIMARY KEY, customer REFERENCES customer, total REAL, scan BLOB) WITHOUT ROWID;
      CREATE INDEX by_name ON customer (name);
      INSERT INTO customer VALUES (1, 'Åse "Q"'), (2, '');
      INSERT INTO invoice VALUES ('a', 1, 1.5, x'00ff'), ('b', NULL, 9e999, NULL);`,
    );
    let targets = 0;
    return {
      source: sqliteSource({ name: 'app', path, workFolder: work }),
      newTarget: async () => join(place, `restored-${++targets}.db`),
      look: async (where) => rowsOf(where),
      lookHome: async () => rowsOf(path),
      change: async () => write(path, "INSERT INTO customer (name) VALUES ('new'); DELETE FROM invoice WHERE id = 'a'"),
      vanish: async () => fs.rmSync(path),
      remains: async () => remainsIn(place),
    };
  };
}

function write(path: string, sql: string): void {
  using database = new DatabaseSync(path);
  database.exec(sql);
}

function rowsOf(path: string): unknown {
  using database = new DatabaseSync(path);
  const of = (table: string) => database.prepare(`SELECT * FROM ${table} ORDER BY 1`).all();
  return [of('customer'), of('invoice'), of('sqlite_schema'), fs.statSync(path).mode];
}

describe('with a write-ahead log', () => sourceSuite(opener('wal')));
describe('with a rollback journal', () => sourceSuite(opener('delete')));
