import { z } from 'zod';
import { ledgerKey } from '../vault/format/keys.ts';
import { type LedgerObject, type LedgerRecord, verifyLedger } from '../vault/format/ledger.ts';
import { writerId } from '../vault/format/signing.ts';
import { isKnownWriter, mayPrune, type Trust } from '../vault/trust.ts';
import type { RestorePoint } from '../vault/vault.ts';
import { readable } from './ledger/read.ts';
import { foldPins, type PinEntry, type PinsFound, pinBodyOf } from './ledger-pins.ts';

/** What the ledger says that retention and prune must know. */
export interface PruneLedger extends PinsFound {
  /** Hashes of records that a prune said to remove, or whose absence a person has accepted. */
  readonly removed: ReadonlySet<string>;
  /** Ids of restore points that go before their time. */
  readonly erased: ReadonlySet<string>;
  /** Ids of writers that will not write again, and when that was said. */
  readonly retired: ReadonlyMap<string, number>;
  /** Entries that are damaged or missing: a pin may be among them. And pins by nobody who is known. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

const eraseBody = z.object({ points: z.array(z.string()) });
const pruneBody = z.object({
  removed: z.array(z.string()).default([]),
  retired: z.array(z.string()).default([]),
});

/**
 * Reads the entries in order. What a writer says that is not known counts for nothing, and a pin by one is suspect; that something goes may be said by those
 * alone who may prune: whoever takes over a host must not have its backups removed by the pruner's hand.
 */
export function foldLedger(objects: readonly LedgerObject[], vault: string, trust: Trust): PruneLedger {
  const pinning: PinEntry[] = [];
  const removed = new Set<string>();
  const erased = new Set<string>();
  const retired = new Map<string, number>();
  const strange: { key: string; why: string }[] = [];
  for (const { id, kind, body, time, writer } of readableEntries(objects, vault)) {
    if (!isKnownWriter(trust, writer)) {
      // Whoever pinned was told that it is kept: to remove it all the same takes a person who knows better.
      const isPin = kind === 'pin' && pinBodyOf(body)?.action !== 'unpin';
      if (isPin)
        strange.push({ key: ledgerKey(id), why: `it pins, and is signed by ${writer}, which is no known writer` });
      continue;
    }
    const decides = mayPrune(trust, writer);
    if (kind === 'pin') {
      const pin = pinBodyOf(body);
      if (pin !== undefined) pinning.push({ id, body: pin, decides });
    } else if (kind === 'erase' && decides) {
      for (const point of eraseBody.safeParse(body).data?.points ?? []) erased.add(point);
    } else if (kind === 'prune' && decides) {
      const prune = pruneBody.safeParse(body).data;
      for (const hash of prune?.removed ?? []) removed.add(hash);
      for (const writer of prune?.retired ?? []) retired.set(writer, Date.parse(time));
    }
  }
  const suspect = verifyLedger(objects, { vault }).problems.flatMap(({ key, code, message }) =>
    code === 'damaged' || code === 'gap' ? [{ key, why: message }] : [],
  );
  return { ...foldPins(pinning), removed, erased, retired, suspect: [...suspect, ...strange] };
}

/** Whether it was said that the writer with this id will not write again, and it has not since. */
export function isRetiredWriter({ retired }: PruneLedger, id: string, points: readonly RestorePoint[]): boolean {
  const sinceMs = retired.get(id);
  return (
    sinceMs !== undefined &&
    points.every(({ record, storedMs }) => storedMs <= sinceMs || writerId(record.writer) !== id)
  );
}

export const emptyLedger: PruneLedger = {
  pins: new Map(),
  pinEntries: new Map(),
  removed: new Set(),
  erased: new Set(),
  retired: new Map(),
  suspect: [],
};

/** Of this vault, oldest first. What cannot be read is told by `suspect`. */
function readableEntries(objects: readonly LedgerObject[], vault: string): LedgerRecord[] {
  const entries: LedgerRecord[] = [];
  for (const { key, bytes } of objects) {
    const entry = readable(bytes, key);
    if (entry?.vault === vault) entries.push(entry);
  }
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1));
}
