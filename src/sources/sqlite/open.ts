import { access, constants, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { databaseBusy, databaseUnreadable, logUnread, notADatabase } from './errors.ts';

/** SQLite's result codes; extended ones carry the plain one in their low byte. */
const code = {
  busy: 5,
  locked: 6,
  cannotOpen: 14,
  notADatabase: 26,
  readonlyRecovery: 264,
  readonlyRollback: 776,
} as const;

const BUSY_DEADLINE_MS = 60_000;
const BUSY_PAUSE_MS = 20;

export interface Snapshot extends Disposable {
  readonly database: DatabaseSync;
  /** Nothing keeps others from writing meanwhile: on a read-only file system there are no locks to take. */
  readonly withoutLocks: boolean;
}

/**
 * A connection that holds one snapshot: everything read through it is of one moment, until it is closed.
 *
 * Never open a live database's file in this process by other means than SQLite: closing any descriptor of it drops the locks
 * of all (POSIX), and with them the application's protection from us and ours from it.
 */
export async function openSnapshot(path: string, run: Run): Promise<Snapshot> {
  const started = run.clock.elapsed();
  // Read-only first: then SQLite does not checkpoint when it closes, which on a version with the WAL-reset bug (Q1) could
  // corrupt a database that the application writes at the same instant.
  let readOnly = true;
  for (;;) {
    run.signal.throwIfAborted();
    const database = tryOpen(path, readOnly);
    try {
      database?.exec('BEGIN');
      // The snapshot begins with the first read.
      database?.prepare('SELECT count(*) FROM sqlite_schema').get();
      if (database !== undefined) return snapshotOf(database, false);
      throw databaseUnreadable({ path, why: 'it cannot be opened' });
    } catch (error) {
      database?.close();
      const found = errcodeOf(error);
      // A hot journal or log of a crashed application must be rolled back or replayed first, by any who opens it for writing.
      if (readOnly && (found === code.readonlyRollback || found === code.readonlyRecovery)) readOnly = false;
      else if ((found & 0xff) === code.busy || (found & 0xff) === code.locked) {
        const waitedMs = run.clock.elapsed() - started;
        if (waitedMs > BUSY_DEADLINE_MS) throw databaseBusy({ path, waitedMs }, { cause: error });
        await sleep(BUSY_PAUSE_MS, undefined, { signal: run.signal });
      } else if ((found & 0xff) === code.cannotOpen && (await isReadOnlyPlace(path))) return await openUnwritable(path);
      else throw await explained(path, error);
    }
  }
}

/** Reading a database with a write-ahead log takes a file beside it, which a read-only file system does not let anyone make. */
async function isReadOnlyPlace(path: string): Promise<boolean> {
  const refused = await access(dirname(path), constants.W_OK).catch((error: unknown) => error);
  return (refused as NodeJS.ErrnoException | undefined)?.code === 'EROFS';
}

async function openUnwritable(path: string): Promise<Snapshot> {
  const log = await stat(`${path}-wal`).catch(() => undefined);
  if ((log?.size ?? 0) > 0) throw logUnread({ path });
  const database = openCopy(path);
  database.exec('BEGIN');
  database.prepare('SELECT count(*) FROM sqlite_schema').get();
  return snapshotOf(database, true);
}

function snapshotOf(database: DatabaseSync, withoutLocks: boolean): Snapshot {
  return { database, withoutLocks, [Symbol.dispose]: () => database.close() };
}

function tryOpen(path: string, readOnly: boolean): DatabaseSync {
  return new DatabaseSync(path, { readOnly, timeout: 0 });
}

/** Opens a copy that nobody writes, without making `-wal` and `-shm` files beside it. */
export function openCopy(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  const database = new DatabaseSync(url, { readOnly: true, defensive: true });
  // Its definitions may be anybody's: functions that reach further than the row they are given are not for them.
  database.exec('PRAGMA trusted_schema = OFF');
  return database;
}

/** SQLite's extended result code, or 0. */
export function errcodeOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) : 0;
}

async function explained(path: string, error: unknown): Promise<Error> {
  if (errcodeOf(error) !== code.notADatabase) {
    return databaseUnreadable({ path, why: sentenceOf(error) }, { cause: error });
  }
  return notADatabase({ path, encrypted: await looksEncrypted(path) }, { cause: error });
}

/** An encrypted database is whole pages of noise. (SQLite refused it, so nobody has locks on it that opening could drop.) */
async function looksEncrypted(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const start = Buffer.alloc(4096);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  const kinds = new Set(start.subarray(0, bytesRead)).size;
  return size % 512 === 0 && bytesRead >= 512 && kinds > bytesRead / 32 && kinds > 160;
}
