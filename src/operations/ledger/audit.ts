import { join } from 'node:path';
import type { Run } from '../../core/run.ts';
import { writerKeys } from '../../vault/writer-keys.ts';
import type { OpenSystem } from '../system.ts';
import { appendToLedger } from './ledger.ts';

/** What the ledger keeps of: proofs, and everything that changed or read the vault. */
export type LedgerKind =
  | 'drill'
  | 'backup'
  | 'restore'
  | 'prune'
  | 'pin'
  | 'erase'
  | 'lock'
  | 'copy'
  | 'key'
  | 'configuration';

export interface LedgerNote {
  readonly kind: LedgerKind;
  /** Readable by everyone who can list the vault: no table, no path, no value. Whole numbers. */
  readonly body: object;
  /** Sealed to the vault's recipients. */
  readonly details?: object;
}

/**
 * Signs a note with this host's key and stores it after this host's newest one, on every destination in reach.
 * @throws `ledger-busy`, `ledger-unwritten` when no destination took it
 */
export async function noteInLedger(
  system: OpenSystem,
  vault: string,
  { kind, body, details = {} }: LedgerNote,
  run: Run,
): Promise<{ readonly key: string }> {
  const { config, clock, random } = system;
  const { opened, failed } = await system.destinations({ create: false });
  const [first] = failed;
  if (opened.length === 0 && first !== undefined) throw first.error;
  const keys = await writerKeys(join(config.stateDir, 'writer.json'), vault, random);
  const parts = {
    vault,
    destinations: opened,
    recipients: config.vault.recipients,
    signingKey: keys.signingKey,
    stateDir: config.stateDir,
    clock,
    random,
  };
  const { key, behind } = await appendToLedger(parts, kind, body, details);
  for (const { destination, why } of behind) {
    run.problem({ code: 'destination-behind', message: `${destination}: ${why}` });
  }
  return { key };
}
