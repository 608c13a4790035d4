import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { backupRunning } from '../errors.ts';

/**
 * Holds the one writer's place on this host. It is a SQLite lock, so the kernel lets it go when the process dies in whatever
 * way: there is no stale lock and no unlock command.
 */
export function lockWriter(stateDir: string): Disposable {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(join(stateDir, 'writer.lock'));
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw backupRunning({}, { cause: error });
  }
  return { [Symbol.dispose]: () => db.close() };
}
