import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CHUNK_ID_BYTES } from '../chunking/chunk-id.ts';
import type { IndexedPack } from '../format/index-delta.ts';

/**
 * What the writer knows to be in the vault: chunk → pack and offset, and which destination holds which pack. Beside the
 * catalog, in SQLite, about 40 bytes a chunk. It can always be rebuilt from the vault's index deltas; where that fails the
 * data is sent again. Nothing in it is needed to restore.
 */
export interface IndexCache {
  /** Where a chunk lies in a pack that is `usable`. */
  find(id: Uint8Array): { pack: string; offset: number; length: number } | undefined;
  hasPack(pack: string): boolean;
  packSize(pack: string): number | undefined;
  /** Remembers a pack and all its chunks, held by these destinations. */
  addPack(pack: IndexedPack, destinations: readonly string[]): void;
  addHolder(pack: string, destination: string): void;
  /** Forgets that `destination` holds anything, or just this pack. What nobody holds is sent again. */
  forgetHolder(destination: string, pack?: string): void;
  /** Packs that `destination` lacks and another one holds. */
  missingAt(destination: string): string[];
  /** From now on only packs that all of these hold are found. */
  useOnlyHeldBy(destinations: readonly string[]): void;
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS packs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, kind TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS chunks (
    id BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS holders (
    destination TEXT NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY (destination, pack)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;
const VERSION = 1;

/** Opens or creates the cache at `file`; `identity` (vault and writer) that does not match, or damage, begins a new one. */
export function openIndexCache(file: string, identity: string): IndexCache {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = !existsSync(file);
  try {
    const cache = openDatabase(file);
    if (cache.get('identity') === identity) return cache;
    if (fresh) {
      cache.set('identity', identity);
      return cache;
    }
    cache.close();
  } catch {
    // Damaged: put aside below. The vault has everything to make it again.
  }
  for (const ending of ['-wal', '-shm']) rmSync(`${file}${ending}`, { force: true });
  renameSync(file, `${file}.unusable`);
  const cache = openDatabase(file);
  cache.set('identity', identity);
  return cache;
}

function openDatabase(file: string): IndexCache {
  const db = new DatabaseSync(file);
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY',
  );
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version !== 0 && version !== VERSION) throw new Error(`index cache version ${version}`);
  db.exec(`${SCHEMA} PRAGMA user_version = ${VERSION}`);
  return cacheOver(db);
}

function cacheOver(db: DatabaseSync): IndexCache {
  const prepared = new Map<string, StatementSync>();
  const sql = (text: string) => {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = db.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  const findChunk = db.prepare('SELECT pack, offset, length FROM chunks WHERE id = ?');
  const addChunk = db.prepare('INSERT OR REPLACE INTO chunks (id, pack, offset, length) VALUES (?, ?, ?, ?)');
  /** Pack number → id when usable, null when not; filled as needed, emptied when holders change. */
  const usable = new Map<number, string | null>();
  const usableByName = new Map<string, boolean>();
  let required: readonly string[] = [];

  function holdersChanged(): void {
    usable.clear();
    usableByName.clear();
  }

  function numberOf(pack: string): number | undefined {
    return sql('SELECT number FROM packs WHERE id = ?').get(pack)?.number as number | undefined;
  }

  function usableId(number: number): string | null {
    const known = usable.get(number);
    if (known !== undefined) return known;
    const id = sql('SELECT id FROM packs WHERE number = ?').get(number)?.id as string | undefined;
    const held = required.every((name) =>
      sql('SELECT 1 FROM holders WHERE destination = ? AND pack = ?').get(name, number),
    );
    const found = id !== undefined && held && required.length > 0 ? id : null;
    usable.set(number, found);
    return found;
  }

  function transaction(work: () => void): void {
    db.exec('BEGIN IMMEDIATE');
    try {
      work();
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }

  return {
    find(id) {
      const row = findChunk.get(id) as { pack: number; offset: number; length: number } | undefined;
      if (row === undefined) return undefined;
      const pack = usableId(row.pack);
      return pack === null ? undefined : { pack, offset: row.offset, length: row.length };
    },
    hasPack(pack) {
      let known = usableByName.get(pack);
      if (known === undefined) {
        const number = numberOf(pack);
        known = number !== undefined && usableId(number) !== null;
        usableByName.set(pack, known);
      }
      return known;
    },
    packSize: (pack) => sql('SELECT size FROM packs WHERE id = ?').get(pack)?.size as number | undefined,
    addPack(pack, destinations) {
      transaction(() => {
        sql('INSERT OR IGNORE INTO packs (id, size, kind) VALUES (?, ?, ?)').run(pack.id, pack.sizeBytes, pack.kind);
        const number = numberOf(pack.id)!;
        for (const row of sortedChunks(pack)) addChunk.run(row.id, number, row.offset, row.length);
        for (const name of destinations) {
          sql('INSERT OR IGNORE INTO holders (destination, pack) VALUES (?, ?)').run(name, number);
        }
      });
      usable.delete(numberOf(pack.id)!);
      usableByName.delete(pack.id);
    },
    addHolder(pack, destination) {
      const number = numberOf(pack);
      if (number === undefined) return;
      sql('INSERT OR IGNORE INTO holders (destination, pack) VALUES (?, ?)').run(destination, number);
      usable.delete(number);
      usableByName.delete(pack);
    },
    forgetHolder(destination, pack) {
      if (pack === undefined) sql('DELETE FROM holders WHERE destination = ?').run(destination);
      else sql('DELETE FROM holders WHERE destination = ? AND pack = ?').run(destination, numberOf(pack) ?? -1);
      holdersChanged();
    },
    missingAt(destination) {
      const text = `SELECT id FROM packs WHERE number IN (SELECT pack FROM holders WHERE destination <> ?1)
        AND number NOT IN (SELECT pack FROM holders WHERE destination = ?1)`;
      return sql(text)
        .all(destination)
        .map((row) => row.id as string);
    },
    useOnlyHeldBy(destinations) {
      required = [...destinations];
      holdersChanged();
    },
    get: (name) => sql('SELECT value FROM facts WHERE name = ?').get(name)?.value as string | undefined,
    set: (name, value) => void sql('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)').run(name, value),
    close: () => db.close(),
  };
}

/** By id, because inserting in key order touches each page of the tree once. */
function sortedChunks(pack: IndexedPack): { id: Uint8Array; offset: number; length: number }[] {
  const { ids, lengths } = pack.toc.chunks;
  const rows = [];
  let offset = 0;
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index]!;
    rows.push({ id: ids.subarray(index * CHUNK_ID_BYTES, (index + 1) * CHUNK_ID_BYTES), offset, length });
    offset += length;
  }
  return rows.sort((a, b) => Buffer.compare(a.id, b.id));
}
