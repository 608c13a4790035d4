import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { ledgerBusy } from './errors.ts';

const lockSeconds = 60;

/** Two processes that follow the same entry would look like a forged chain. A SQLite lock: the kernel lets it go however its holder dies. */
export async function lockLedger(stateDir: string): Promise<Disposable> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const deadline = performance.now() + lockSeconds * 1000;
  for (;;) {
    const database = new DatabaseSync(join(stateDir, 'ledger.lock'));
    try {
      database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      database.close();
      if (performance.now() > deadline) throw ledgerBusy({ seconds: lockSeconds }, { cause: error });
      await sleep(50);
    }
  }
}
