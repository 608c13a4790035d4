import { holdLock } from '../host/locks.ts';
import { backupRunning, copyRunning } from './errors.ts';

/** Holds the one writer's place on this host. @throws `backup-running`, and `state-folder-unusable` as all here */
export function lockWriter(stateDir: string): Disposable {
  return holdLock(stateDir, 'writerLock', (cause) => backupRunning({}, { cause }));
}

/** Holds the one copier's place on this host. @throws `copy-running` */
export function lockCopier(stateDir: string): Disposable {
  return holdLock(stateDir, 'copyLock', (cause) => copyRunning({}, { cause }));
}
