import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeStateFolder, ofState } from './state-folder.ts';
import { inState, type StateName } from './state-names.ts';

/**
 * Holds `file` of the state folder, which one process at a time can. It is a SQLite lock, so the kernel lets it go when the process dies
 * in whatever way: there is no stale lock and no unlock command. @throws what `whenHeld` makes, `state-folder-unusable`
 */
export function holdLock(stateDir: string, file: StateName, whenHeld: (cause: unknown) => Error): Disposable {
  makeStateFolder(stateDir);
  const database = openLock(inState(stateDir, file), stateDir);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const failure = ofState(stateDir, error);
    throw failure === error ? whenHeld(error) : failure;
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** The same for what another process lets go soon. @throws what `whenLate` makes, `state-folder-unusable` */
export async function waitForLock(
  stateDir: string,
  file: StateName,
  { seconds, whenLate }: { readonly seconds: number; readonly whenLate: (cause: unknown) => Error },
): Promise<Disposable> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    let held: unknown;
    try {
      return holdLock(stateDir, file, (cause) => {
        held = cause;
        return whenLate(cause);
      });
    } catch (error) {
      // Only one that another process holds is worth waiting for.
      if (held === undefined || performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

function openLock(file: string, stateDir: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (error) {
    throw ofState(stateDir, error);
  }
}
