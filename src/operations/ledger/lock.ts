import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeStateFolder, ofState } from '../../host/state-folder.ts';
import { ledgerBusy } from './errors.ts';

const lockSeconds = 60;

/** Two processes that follow the same entry would look like a forged chain. A SQLite lock: the kernel lets it go however its holder dies. */
export async function lockLedger(stateDir: string): Promise<Disposable> {
  makeStateFolder(stateDir);
  const deadline = performance.now() + lockSeconds * 1000;
  for (;;) {
    let database: DatabaseSync | undefined;
    try {
      const opened = new DatabaseSync(join(stateDir, 'ledger.lock'));
      database = opened;
      opened.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => opened.close() };
    } catch (error) {
      database?.close();
      // Only one that another process holds is worth waiting for.
      if (ofState(stateDir, error) !== error) throw ofState(stateDir, error);
      if (performance.now() > deadline) throw ledgerBusy({ seconds: lockSeconds }, { cause: error });
      await sleep(50);
    }
  }
}
