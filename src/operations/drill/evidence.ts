import type { DrillDetails, DrillEvidence } from '../../core/evidence.ts';
import type { Destination } from '../../destinations/destination.ts';
import { ledgerKey } from '../../vault/format/keys.ts';
import { decodeLedgerEntry, type LedgerRecord, type LedgerVerdict, verifyLedger } from '../../vault/format/ledger.ts';
import { openDetails, readLedger } from '../ledger/ledger.ts';
import { noSuchEvidence } from './errors.ts';

interface EvidenceLine {
  /** Of the ledger entry. */
  readonly id: string;
  readonly time: string;
  readonly kind: string;
  readonly verdict: string;
  readonly datasets: readonly string[];
  readonly checks: number;
  readonly passed: number;
  readonly rtoMs: number | null;
}

export interface EvidenceList {
  readonly entries: readonly EvidenceLine[];
  readonly troubles: readonly string[];
}

/** All entries that hold, newest first. */
export async function listEvidence(destinations: readonly Destination[]): Promise<EvidenceList> {
  const { objects, troubles } = await readLedger(destinations);
  const entries = objects.flatMap(({ key, bytes }) => {
    try {
      return [lineOf(decodeLedgerEntry(bytes, key))];
    } catch {
      return []; // among the troubles already
    }
  });
  return { entries: entries.reverse(), troubles };
}

function lineOf(record: LedgerRecord): EvidenceLine {
  const common = { id: record.id, time: record.time, kind: record.kind };
  if (record.kind !== 'drill') return { ...common, verdict: '', datasets: [], checks: 0, passed: 0, rtoMs: null };
  const { outcome, scope, checks, rtoMs } = record.body as unknown as DrillEvidence;
  return {
    ...common,
    verdict: outcome.verdict,
    datasets: scope.datasets.map(({ dataset }) => dataset),
    checks: checks.length,
    passed: checks.filter(({ verdict }) => verdict === 'pass').length,
    rtoMs,
  };
}

export interface ShownEvidence {
  readonly record: LedgerRecord;
  /** What only holders of an identity may read; null without one. */
  readonly details: DrillDetails | null;
}

/** `id`: of the entry or of its drill, or `latest`. @throws `evidence-unknown`, `ledger-damaged` */
export async function showEvidence(
  destinations: readonly Destination[],
  id: string,
  identities: readonly string[],
): Promise<ShownEvidence> {
  const { objects } = await readLedger(destinations);
  const found =
    id === 'latest'
      ? objects.at(-1)
      : objects.find(({ key, bytes }) => key === safeKey(id) || drillId(bytes, key) === id);
  if (found === undefined) throw noSuchEvidence({ id });
  const record = decodeLedgerEntry(found.bytes, found.key);
  const details =
    identities.length === 0 ? null : ((await openDetails(record, identities)) as DrillDetails | undefined);
  return { record, details: details ?? null };
}

function safeKey(id: string): string {
  return /^[0-9A-Z]{26}$/.test(id) ? ledgerKey(id) : '';
}

function drillId(bytes: Uint8Array, key: string): string | undefined {
  try {
    return (decodeLedgerEntry(bytes, key).body as unknown as Partial<DrillEvidence>).drill?.id;
  } catch {
    return undefined;
  }
}

export interface VerifiedEvidence extends LedgerVerdict {
  readonly troubles: readonly string[];
}

/** Checks signatures and chains of the whole ledger. Needs no key and no network but the destinations. */
export async function verifyEvidence(
  destinations: readonly Destination[],
  trust: { readonly vault?: string; readonly writers?: readonly string[] },
): Promise<VerifiedEvidence> {
  const { objects, troubles } = await readLedger(destinations);
  return { ...verifyLedger(objects, trust), troubles };
}
