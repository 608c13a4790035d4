import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { makeStateFolder, ofState, withinState } from '../host/state-folder.ts';
import { inState } from '../host/state-names.ts';

/**
 * What this host knows of locks: when each object's ends, and how things stood at the last keep. A memory that saves requests;
 * without it every lock is looked at anew.
 */
export interface Locks extends Disposable {
  get(destination: string, key: string): { readonly untilMs: number; readonly seenMs: number } | undefined;
  note(destination: string, key: string, lock: { readonly untilMs: number; readonly seenMs: number }): void;
  /** How things stood at the last keep. */
  last(destination: string): LastKeep | undefined;
  noteKeep(destination: string, keep: LastKeep): void;
}

/** Times in milliseconds since 1970 UTC. */
export interface LastKeep {
  readonly keptMs: number;
  /** How long the place locks what is stored. */
  readonly birthMs: number;
  /** When the first lock of what restore points need ends; absent where something was not locked. */
  readonly untilMs?: number;
  /** Why it did not come to its end, in a sentence. */
  readonly failed?: string;
}

const schema = `
CREATE TABLE IF NOT EXISTS lock (
  destination TEXT NOT NULL, key TEXT NOT NULL, until_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
  PRIMARY KEY (destination, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keep (
  destination TEXT PRIMARY KEY, kept_ms INTEGER NOT NULL, birth_ms INTEGER NOT NULL, until_ms INTEGER, failed TEXT
) STRICT, WITHOUT ROWID;
`;

/** Opens `locks.sqlite` in `stateDir`, both made when absent. One that is damaged is put aside. */
export function openLocks(stateDir: string): Locks {
  makeStateFolder(stateDir);
  const file = inState(stateDir, 'objectLocks');
  try {
    return withinState(stateDir, locksOver(openDatabase(file)));
  } catch (error) {
    if (!existsSync(file) || !isDamage(error)) throw ofState(stateDir, error);
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, `${file}${suffix}.damaged`);
    }
    return locksOver(openDatabase(file));
  }
}

/** As it is, for who changes nothing; undefined when there is none, or none that can be read. */
export function readLastKeeps(stateDir: string): ReadonlyMap<string, LastKeep> | undefined {
  const file = inState(stateDir, 'objectLocks');
  if (!existsSync(file)) return undefined;
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    return new Map(
      database
        .prepare('SELECT * FROM keep')
        .all()
        .map((row) => [String(row.destination), lastOf(row)]),
    );
  } catch {
    return undefined;
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return code === 11 || code === 26;
}

function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  try {
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;${schema}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function locksOver(database: DatabaseSync): Locks {
  const find = database.prepare('SELECT until_ms, seen_ms FROM lock WHERE destination = ? AND key = ?');
  const put = database.prepare('INSERT OR REPLACE INTO lock (destination, key, until_ms, seen_ms) VALUES (?, ?, ?, ?)');
  return {
    get(destination, key) {
      const row = find.get(destination, key);
      return row && { untilMs: Number(row.until_ms), seenMs: Number(row.seen_ms) };
    },
    note(destination, key, { untilMs, seenMs }) {
      put.run(destination, key, Math.floor(untilMs), Math.floor(seenMs));
    },
    last(destination) {
      const row = database.prepare('SELECT * FROM keep WHERE destination = ?').get(destination);
      return row && lastOf(row);
    },
    noteKeep(destination, { keptMs, birthMs, untilMs, failed }) {
      database
        .prepare(
          'INSERT OR REPLACE INTO keep (destination, kept_ms, birth_ms, until_ms, failed) VALUES (?, ?, ?, ?, ?)',
        )
        .run(
          destination,
          Math.floor(keptMs),
          Math.floor(birthMs),
          untilMs === undefined ? null : Math.floor(untilMs),
          failed ?? null,
        );
    },
    [Symbol.dispose]: () => database.close(),
  };
}

function lastOf(row: Record<string, unknown>): LastKeep {
  return {
    keptMs: Number(row.kept_ms),
    birthMs: Number(row.birth_ms),
    ...(row.until_ms !== null && { untilMs: Number(row.until_ms) }),
    ...(row.failed !== null && { failed: String(row.failed) }),
  };
}
