import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { sentenceOf } from '../../core/errors.ts';
import { makeStateFolder, ofState } from '../../host/state-folder.ts';
import { CHUNK_ID_BYTES } from '../chunking/chunk-id.ts';
import { indexCacheDamaged } from '../errors.ts';
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
  /** These packs with their sizes, in the order in which this host came to know them: those that stay keep their places. */
  inOrder(packs: Iterable<string>): (readonly [string, number])[];
  /** The epoch that a pack is sealed to. */
  epochOf(pack: string): string | undefined;
  /** Remembers a pack and all its chunks, held by these destinations, sealed to `epoch`. */
  addPack(pack: IndexedPack, destinations: readonly string[], epoch: string): void;
  /** Remembers a list of packs, which is held and used as a pack is. */
  addList(id: string, sizeBytes: number, destinations: readonly string[]): void;
  addHolder(pack: string, destination: string): void;
  /** Keeps the delta that will name `pack` in the vault, until `named` says that one does: the run may be killed before. */
  keepDelta(pack: string, delta: Uint8Array): void;
  /** Deltas of packs that no run has named in the vault yet. */
  unnamed(): Uint8Array[];
  named(packs: readonly string[]): void;
  /** Forgets that `destination` holds anything, or just this pack. What nobody holds is sent again. */
  forgetHolder(destination: string, pack?: string): void;
  /** Packs that `destination` lacks and another one holds. */
  missingAt(destination: string): string[];
  /** From now on only packs that all of these hold are found. */
  useOnlyHeldBy(destinations: readonly string[]): void;
  /** From now on only packs of these epochs are found. */
  useOnlyOf(epochs: ReadonlySet<string>): void;
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS packs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, kind TEXT NOT NULL,
    epoch TEXT NOT NULL, seal INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS chunks (
    id BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, seal INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS holders (
    destination TEXT NOT NULL, pack INTEGER NOT NULL, seal INTEGER NOT NULL, PRIMARY KEY (destination, pack)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS unnamed (
    pack TEXT PRIMARY KEY, delta BLOB NOT NULL, seal INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS facts (
    name TEXT PRIMARY KEY, value TEXT NOT NULL, seal INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;
const VERSION = 6;

/**
 * Every row has a checksum of itself: SQLite has none, and one changed bit in an offset would make restore points that name
 * the wrong bytes. A chunk, pack or holder whose row does not fit is as good as unknown: it is sent again.
 */
export function sealOf(text: string): number {
  return crc32(text);
}

export function packText({ number, id, size, kind, epoch }: Record<string, unknown>): string {
  return `${number} ${id} ${size} ${kind} ${epoch}`;
}

function chunkSeal(id: Uint8Array, pack: number, offset: number, length: number): number {
  const high = Math.floor(offset / 2 ** 32);
  return crc32(
    id,
    (Math.imul(pack, 0x9e3779b1) ^ Math.imul(offset, 0x85ebca6b) ^ Math.imul(length, 0xc2b2ae35) ^ high) >>> 0,
  );
}

/** What SQLite says of a file whose pages do not fit together: corrupt, no database, and rows that cannot be. */
const DAMAGE_CODES = new Set([11, 26, 19, 20]);

function isDamage(error: unknown): boolean {
  // A number too large for JavaScript, or another version of this cache.
  if (indexCacheDamaged.is(error) || error instanceof RangeError) return true;
  return error instanceof Error && 'errcode' in error && DAMAGE_CODES.has(Number(error.errcode) & 0xff);
}

/** Opens or creates the cache at `file`; `identity` (vault and writer) that does not match, or damage, begins a new one. */
export function openIndexCache(file: string, identity: string): IndexCache {
  makeStateFolder(dirname(file));
  const fresh = !existsSync(file);
  try {
    const cache = openDatabase(file);
    if (cache.get('identity') === identity) return guarded(cache, file);
    if (fresh) {
      cache.set('identity', identity);
      return guarded(cache, file);
    }
    cache.close();
  } catch (error) {
    if (!isDamage(error)) throw ofState(dirname(file), error);
    // Put aside below. The vault has everything to make it again.
  }
  putAside(file);
  const cache = openDatabase(file);
  cache.set('identity', identity);
  return guarded(cache, file);
}

function putAside(file: string): void {
  for (const ending of ['-wal', '-shm']) rmSync(`${file}${ending}`, { force: true });
  renameSync(file, `${file}.unusable`);
}

/** Damage that shows only in use ends the run with a code; the next one begins with a new index. */
function guarded(cache: IndexCache, file: string): IndexCache {
  let damaged = false;
  const guard =
    <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    (...args: Args): Result => {
      try {
        return work(...args);
      } catch (error) {
        if (!isDamage(error)) throw ofState(dirname(file), error);
        damaged = true;
        throw indexCacheDamaged({ file, why: sentenceOf(error) }, { cause: error });
      }
    };
  return {
    find: guard(cache.find),
    hasPack: guard(cache.hasPack),
    packSize: guard(cache.packSize),
    inOrder: guard(cache.inOrder),
    addList: guard(cache.addList),
    epochOf: guard(cache.epochOf),
    addPack: guard(cache.addPack),
    addHolder: guard(cache.addHolder),
    keepDelta: guard(cache.keepDelta),
    unnamed: guard(cache.unnamed),
    named: guard(cache.named),
    forgetHolder: guard(cache.forgetHolder),
    missingAt: guard(cache.missingAt),
    useOnlyHeldBy: guard(cache.useOnlyHeldBy),
    useOnlyOf: guard(cache.useOnlyOf),
    get: guard(cache.get),
    set: guard(cache.set),
    close() {
      cache.close();
      if (damaged) putAside(file);
    },
  };
}

function openDatabase(file: string): IndexCache {
  const db = new DatabaseSync(file);
  try {
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY',
    );
    const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    if (version !== 0 && version !== VERSION) throw new RangeError(`index cache version ${version}`);
    db.exec(`${SCHEMA} PRAGMA user_version = ${VERSION}`);
    return cacheOver(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Kind of a row of `packs` that is a list of packs: nobody needs a key for it. */
const LIST = 'list';

interface PackRow {
  readonly number: number;
  readonly id: string;
  readonly size: number;
  readonly kind: IndexedPack['kind'] | typeof LIST;
  readonly epoch: string;
}

type Entered = Pick<IndexedPack, 'id' | 'sizeBytes'> & Pick<PackRow, 'kind'>;

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
  const findChunk = db.prepare('SELECT pack, offset, length, seal FROM chunks WHERE id = ?');
  const addChunk = db.prepare('INSERT OR REPLACE INTO chunks (id, pack, offset, length, seal) VALUES (?, ?, ?, ?, ?)');
  /** Pack number → id when usable, null when not; filled as needed, emptied when holders change. */
  const usable = new Map<number, string | null>();
  const usableByName = new Map<string, boolean>();
  let required: readonly string[] = [];
  let open: ReadonlySet<string> = new Set();

  function holdersChanged(): void {
    usable.clear();
    usableByName.clear();
  }

  function packRow(by: 'number' | 'id', value: number | string): PackRow | undefined {
    const row = sql(`SELECT number, id, size, kind, epoch, seal FROM packs WHERE ${by} = ?`).get(value);
    if (row === undefined || row.seal !== sealOf(packText(row))) return undefined;
    return row as unknown as PackRow;
  }

  function holds(destination: string, number: number): boolean {
    const row = sql('SELECT seal FROM holders WHERE destination = ? AND pack = ?').get(destination, number);
    return row?.seal === sealOf(`${destination} ${number}`);
  }

  function addHolding(destination: string, number: number): void {
    const text = 'INSERT OR REPLACE INTO holders (destination, pack, seal) VALUES (?, ?, ?)';
    sql(text).run(destination, number, sealOf(`${destination} ${number}`));
  }

  /** The number of a pack that is known from now on. */
  function enter({ id, sizeBytes: size, kind }: Entered, epoch: string): number {
    const known = packRow('id', id);
    if (known !== undefined) return known.number;
    const { number } = sql('SELECT COALESCE(MAX(number), 0) + 1 AS number FROM packs').get() as { number: number };
    const text = 'INSERT OR REPLACE INTO packs (number, id, size, kind, epoch, seal) VALUES (?, ?, ?, ?, ?, ?)';
    sql(text).run(number, id, size, kind, epoch, sealOf(packText({ number, id, size, kind, epoch })));
    return number;
  }

  function numberOf(pack: string): number | undefined {
    return packRow('id', pack)?.number;
  }

  function usableId(number: number): string | null {
    const known = usable.get(number);
    if (known !== undefined) return known;
    const row = packRow('number', number);
    const isHeld = required.length > 0 && required.every((name) => holds(name, number));
    const found = row !== undefined && isHeld && (row.kind === LIST || open.has(row.epoch)) ? row.id : null;
    usable.set(number, found);
    return found;
  }

  function transaction(work: () => void): void {
    db.exec('BEGIN IMMEDIATE');
    try {
      work();
      db.exec('COMMIT');
    } catch (error) {
      // After a full disk SQLite has done so itself.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  return {
    find(id) {
      const row = findChunk.get(id) as { pack: number; offset: number; length: number; seal: number } | undefined;
      if (row === undefined || row.seal !== chunkSeal(id, row.pack, row.offset, row.length)) return undefined;
      const pack = usableId(row.pack);
      return pack === null ? undefined : { pack, offset: row.offset, length: row.length };
    },
    hasPack(pack) {
      let known = usableByName.get(pack);
      if (known === undefined) {
        const number = numberOf(pack);
        known = number !== undefined && usableId(number) === pack;
        usableByName.set(pack, known);
      }
      return known;
    },
    packSize: (pack) => packRow('id', pack)?.size,
    epochOf: (pack) => packRow('id', pack)?.epoch,
    inOrder(packs) {
      const rows = Array.from(packs, (pack) => packRow('id', pack)).filter((row) => row !== undefined);
      return rows.sort((a, b) => a.number - b.number).map(({ id, size }) => [id, size] as const);
    },
    addList(id, sizeBytes, destinations) {
      transaction(() => {
        const number = enter({ id, sizeBytes, kind: LIST }, '');
        for (const name of destinations) addHolding(name, number);
        usable.delete(number);
      });
      usableByName.delete(id);
    },
    addPack(pack, destinations, epoch) {
      transaction(() => {
        const number = enter(pack, epoch);
        for (const { id, offset, length } of sortedChunks(pack)) {
          addChunk.run(id, number, offset, length, chunkSeal(id, number, offset, length));
        }
        for (const name of destinations) addHolding(name, number);
        usable.delete(number);
      });
      usableByName.delete(pack.id);
    },
    addHolder(pack, destination) {
      const number = numberOf(pack);
      if (number === undefined) return;
      addHolding(destination, number);
      usable.delete(number);
      usableByName.delete(pack);
    },
    keepDelta(pack, delta) {
      const text = 'INSERT OR REPLACE INTO unnamed (pack, delta, seal) VALUES (?, ?, ?)';
      sql(text).run(pack, delta, crc32(delta));
    },
    unnamed: () =>
      sql('SELECT delta, seal FROM unnamed')
        .all()
        .map((row) => ({ delta: row.delta as Uint8Array, seal: row.seal }))
        .filter(({ delta, seal }) => crc32(delta) === seal)
        .map(({ delta }) => delta),
    named(packs) {
      transaction(() => {
        for (const pack of packs) sql('DELETE FROM unnamed WHERE pack = ?').run(pack);
      });
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
    useOnlyOf(epochs) {
      open = epochs;
      holdersChanged();
    },
    get(name) {
      const row = sql('SELECT value, seal FROM facts WHERE name = ?').get(name);
      if (row === undefined) return undefined;
      if (row.seal !== sealOf(`${name} ${row.value}`))
        throw indexCacheDamaged({ file: 'the index', why: `${name} changed` });
      return row.value as string;
    },
    set(name, value) {
      const text = 'INSERT OR REPLACE INTO facts (name, value, seal) VALUES (?, ?, ?)';
      sql(text).run(name, value, sealOf(`${name} ${value}`));
    },
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
