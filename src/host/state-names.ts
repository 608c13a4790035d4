import { join } from 'node:path';

/** Everything that lies in a state folder. Nobody else names any of it, so that two parts never take one name. */
const names = {
  /** Which vault it belongs to, and where that is. */
  note: 'vault.json',
  writerKeys: 'writer.json',
  knownWriters: 'known-writers.json',
  confirmed: 'confirmed.json',
  endorsed: 'endorsed.json',
  keysSeen: 'keys.json',
  epochs: 'epochs.json',
  generation: 'generation.json',
  recovery: 'recovery.json',
  records: 'records.known',
  catalog: 'catalog.sqlite',
  index: 'index.sqlite',
  ledger: 'ledger.sqlite',
  objectLocks: 'locks.sqlite',
  writerLock: 'writer.lock',
  copyLock: 'copy.lock',
  ledgerLock: 'ledger.lock',
  /** Folders. */
  counts: 'counts',
  destinations: 'destinations',
  sandboxes: 'sandboxes',
  trees: 'trees',
  use: 'use',
  work: 'work',
} as const;

export type StateName = keyof typeof names;

export function inState(stateDir: string, name: StateName): string {
  return join(stateDir, names[name]);
}
