import { mkdirSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { inState } from '../host/state-names.ts';

/**
 * What this host knows of a ledger, so that it need not be read from its beginning: the kinds of entries that were read and
 * believed, this host's newest one, and facts. A memory only: without it everything is read once more.
 */
export interface LedgerCache extends Disposable {
  kindOf(id: string): string | undefined;
  noteKind(id: string, kind: string): void;
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  /** Keeps an entry of this host until none of `lacking` (names of destinations) is without it. */
  keep(entry: OwnEntry): void;
  /** Entries that a destination is still without, oldest first. */
  kept(): OwnEntry[];
}

export interface OwnEntry {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly lacking: readonly string[];
}

/** A destination that is away for longer than this is given what the others hold instead. */
const mostKept = 2000;
const version = 2;
/** Kinds that are written together. */
const batch = 1000;
const schema = `
CREATE TABLE entry (id TEXT PRIMARY KEY, kind TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE own (key TEXT PRIMARY KEY, bytes BLOB NOT NULL, lacking TEXT NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${version};`;

/** In `stateDir`, which is made when `create` says so; in memory where it is not there or cannot be used. */
export function openLedgerCache(stateDir: string, { create }: { readonly create: boolean }): LedgerCache {
  const file = inState(stateDir, 'ledger');
  try {
    if (create) mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    return cacheOver(openDatabase(file));
  } catch {
    try {
      // Damaged, or of another version: it is made anew.
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
      return cacheOver(openDatabase(file));
    } catch {
      return cacheOver(openDatabase(':memory:'));
    }
  }
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5000 });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE');
    const found = Number(database.prepare('PRAGMA user_version').get()?.user_version);
    if (found === 0) database.exec(schema);
    else if (found !== version) throw new Error(`version ${found}`);
    database.exec('COMMIT');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function cacheOver(database: DatabaseSync): LedgerCache {
  const kind = database.prepare('SELECT kind FROM entry WHERE id = ?');
  const note = database.prepare('INSERT OR REPLACE INTO entry VALUES (?, ?)');
  const fact = database.prepare('SELECT value FROM fact WHERE name = ?');
  const keep = database.prepare('INSERT OR REPLACE INTO fact VALUES (?, ?)');
  const keepOwn = database.prepare('INSERT OR REPLACE INTO own VALUES (?, ?, ?)');
  const dropOwn = database.prepare('DELETE FROM own WHERE key = ?');
  const boundOwn = database.prepare(
    'DELETE FROM own WHERE key IN (SELECT key FROM own ORDER BY key DESC LIMIT -1 OFFSET ?)',
  );
  const waiting = new Map<string, string>();
  // Together: a transaction for each of many thousands would take longer than reading them.
  const flush = () => {
    if (waiting.size === 0) return;
    try {
      database.exec('BEGIN IMMEDIATE');
      for (const [id, name] of waiting) note.run(id, name);
      database.exec('COMMIT');
    } catch {
      // Another process writes, or the disk is full: these are read once more.
      if (database.isTransaction) database.exec('ROLLBACK');
    }
    waiting.clear();
  };
  return {
    kindOf: (id) => waiting.get(id) ?? (kind.get(id)?.kind as string | undefined),
    noteKind(id, name) {
      waiting.set(id, name);
      if (waiting.size >= batch) flush();
    },
    get: (name) => fact.get(name)?.value as string | undefined,
    set: (name, value) => void keep.run(name, value),
    keep({ key, bytes, lacking }) {
      if (lacking.length === 0) return void dropOwn.run(key);
      keepOwn.run(key, bytes, lacking.join('\n'));
      boundOwn.run(mostKept);
    },
    kept: () =>
      database
        .prepare('SELECT * FROM own ORDER BY key')
        .all()
        .map(({ key, bytes, lacking }) => ({
          key: String(key),
          bytes: bytes as Uint8Array,
          lacking: String(lacking).split('\n'),
        })),
    [Symbol.dispose]() {
      flush();
      database.close();
    },
  };
}
