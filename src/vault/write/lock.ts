import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeStateFolder, ofState } from '../../host/state-folder.ts';
import { backupRunning, copyRunning } from '../errors.ts';

/** Holds the one writer's place on this host. @throws `backup-running`, and `state-folder-unusable` as all here */
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
  makeStateFolder(stateDir);
  const db = openLock(join(stateDir, file), stateDir);
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    const failure = ofState(stateDir, error);
    throw failure === error ? whenHeld(error) : failure;
  }
  return { [Symbol.dispose]: () => db.close() };
}

function openLock(file: string, stateDir: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (error) {
    throw ofState(stateDir, error);
  }
}
