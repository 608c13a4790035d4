/** Bytes at rest: names of objects, records, ledger entries, who signed them. */
export { type CheckpointedChain, checkpointsIn, isUnder, mostKept, rangeOf } from './checkpoint.ts';
export { type EndorsedWriter, endorsementBytes, maxEndorsedWriters, signEndorsement } from './endorsement.ts';
export { ledgerDamaged } from './errors.ts';
export { encodeGrant } from './grant.ts';
export { createIds } from './ids.ts';
export {
  endorsementKey,
  epochKeyKey,
  folders,
  grantKey,
  isHashed,
  isSha256,
  type LogSpan,
  ledgerKey,
  parseKey,
  VAULT_KEY,
} from './keys.ts';
export {
  decodeLedgerEntry,
  encodeLedgerEntry,
  hashOfEntry,
  type LedgerObject,
  type LedgerRecord,
  type LedgerVerdict,
  verifyLedger,
} from './ledger.ts';
export { baseOf, recordHash, type SnapshotRecord } from './record.ts';
export { rescueObject } from './rescue-script.ts';
export { publicKeyOf, writerId } from './signing.ts';
export { padme } from './toc.ts';
export { decodeVaultFile } from './vault-file.ts';
