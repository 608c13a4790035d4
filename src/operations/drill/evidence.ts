import type { DrillDetails, DrillEvidence } from '../../core/evidence.ts';
import { isUlid, ulidTime } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { ledgerDamaged } from '../../vault/format/errors.ts';
import { ledgerKey } from '../../vault/format/keys.ts';
import { decodeLedgerEntry, type LedgerRecord } from '../../vault/format/ledger.ts';
import type { RestoreBody } from '../audit/bodies.ts';
import { type LedgerCache, openLedgerCache } from '../ledger/cache.ts';
import { openDetails } from '../ledger/details.ts';
import { newestEntries } from '../ledger/read.ts';
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

/** What proves that something came back: drills and restores. */
const proofKinds: ReadonlySet<string> = new Set(['drill', 'restore']);

/** Drills and restores, newest first. With `stateDir`, what this host knows to be something else is not read again. */
export async function listEvidence(destinations: readonly Destination[], stateDir?: string): Promise<EvidenceList> {
  const troubles: string[] = [];
  const entries: EvidenceLine[] = [];
  using cache = stateDir === undefined ? undefined : openLedgerCache(stateDir, { create: false });
  for await (const { record } of evidence(destinations, cache, (trouble) => troubles.push(trouble))) {
    if (record !== undefined) entries.push(lineOf(record));
  }
  return { entries, troubles };
}

function evidence(destinations: readonly Destination[], cache?: LedgerCache, onTrouble?: (trouble: string) => void) {
  return newestEntries(destinations, { kinds: proofKinds, ...(cache && { cache }), ...(onTrouble && { onTrouble }) });
}

function lineOf({ id, time, kind, body }: LedgerRecord): EvidenceLine {
  if (kind === 'restore') {
    const { restores, rtoMs } = body as unknown as RestoreBody;
    const back = restores.filter(({ outcome }) => outcome !== 'failed').length;
    const verdict = back === restores.length ? 'restored' : 'failed';
    const datasets = restores.map(({ dataset }) => dataset);
    return { id, time, kind, verdict, datasets, checks: restores.length, passed: back, rtoMs };
  }
  const { outcome, scope, checks, rtoMs } = body as unknown as DrillEvidence;
  return {
    id,
    time,
    kind,
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

/** `id`: of an entry of any kind, of a drill, or `latest`: the newest drill or restore. @throws `evidence-unknown`, `ledger-damaged` */
export async function showEvidence(
  destinations: readonly Destination[],
  id: string,
  identities: readonly string[],
): Promise<ShownEvidence> {
  const record = await find(destinations, id);
  if (record === undefined) throw noSuchEvidence({ id });
  const details =
    identities.length === 0 ? null : ((await openDetails(record, identities)) as DrillDetails | undefined);
  return { record, details: details ?? null };
}

async function find(destinations: readonly Destination[], id: string): Promise<LedgerRecord | undefined> {
  const named = isUlid(id) ? await entryOf(destinations, id) : undefined;
  if (named !== undefined) return named;
  // A drill's own id is a little older than that of its entry.
  const sinceMs = isUlid(id) ? ulidTime(id) : 0;
  for await (const { record } of newestEntries(destinations, { kinds: proofKinds, sinceMs })) {
    if (record !== undefined && (id === 'latest' || drillId(record) === id)) return record;
  }
  return undefined;
}

async function entryOf(destinations: readonly Destination[], id: string): Promise<LedgerRecord | undefined> {
  const key = ledgerKey(id);
  let damage: unknown;
  for (const destination of destinations) {
    try {
      return decodeLedgerEntry(await destination.get(key), key);
    } catch (error) {
      if (ledgerDamaged.is(error)) damage = error;
    }
  }
  if (damage !== undefined) throw damage;
  return undefined;
}

function drillId({ body }: LedgerRecord): string | undefined {
  return (body as unknown as Partial<DrillEvidence>).drill?.id;
}
