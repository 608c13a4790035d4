/** What a vault holds, and whose word counts in it. */
export { announcedAt } from './announced.ts';
export { clockDisputes } from './clocks.ts';
export { newestEndorsement } from './endorsements.ts';
export {
  backupRunning,
  noDestination,
  packWrong,
  pointWrong,
  pruneMet,
  pruneSuspect,
  pruneUnwritten,
  restorePointDoubtful,
  restorePointMissing,
  vaultMissing,
  vaultReplaced,
  vaultsDiffer,
  writerUnknown,
} from './errors.ts';
export { sha256Hex } from './hash.ts';
export {
  type Choice,
  choiceOrNone,
  chooseNewest,
  countsAgainst,
  newestOrNone,
  type PassedOver,
  passedOverEvidence,
  passedOverWords,
  tellPassedOver,
} from './newest.ts';
export { foundOf, pointsOf } from './of-system.ts';
export { type OpenVaultOptions, openVault } from './open.ts';
export { graceMs } from './prune-rules.ts';
export { openRecordMemory } from './read/record-memory.ts';
export { startThread } from './threads.ts';
export {
  aheadToleranceMs,
  type Doubt,
  isDoubtful,
  isKnownWriter,
  isOurs,
  isPruner,
  isStrange,
  keysOf,
  knownById,
  mayProve,
  mayPrune,
  type Trust,
} from './trust.ts';
export type { RestorePoint, RestorePoints, Suspect, VaultReader } from './vault.ts';
export { type PackSizes, usualPackSizes } from './write/packing.ts';
