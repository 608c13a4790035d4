import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { backupRunning, copyRunning } from '../errors.ts';

/** Holds the one writer's place on this host. @throws `backup-running` */
export function lockWriter(stateDir: string): Disposable {
  return holdLock(stateDir, 'writer.lock', (cause) => backupRunning({}, { cause }));
}

/** Holds the one copier's place on this host. @throws `copy-running` */
export function lockCopier(stateDir: string): Disposable {
  return holdLock(stateDir, 'copy.lock', (cause) => copyRunning({}, { cause }));
}

/**
 * It is a SQLite lock, so the kernel lets it go when the process dies in whatever way: there is no stale lock and no unlock
 * command.
 */
function holdLock(stateDir: string, file: string, whenHeld: (cause: unknown) => Error): Disposable {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(stateDir, file));
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw whenHeld(error);
  }
  return { [Symbol.dispose]: () => db.close() };
}
