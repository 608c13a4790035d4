import { waitForLock } from '../host/locks.ts';
import { ledgerBusy } from './errors.ts';

const lockSeconds = 60;

/** Two processes that follow the same entry would look like a forged chain. @throws `ledger-busy` */
export function lockLedger(stateDir: string): Promise<Disposable> {
  const whenLate = (cause: unknown) => ledgerBusy({ seconds: lockSeconds }, { cause });
  return waitForLock(stateDir, 'ledgerLock', { seconds: lockSeconds, whenLate });
}
