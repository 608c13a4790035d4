import type { DrillDetails } from '../../core/evidence.ts';
import { isUlid, ulidTime } from '../../core/ulid.ts';
import type { Destination } from '../../destinations/destination.ts';
import { type LedgerCache, openLedgerCache } from '../../ledger/cache.ts';
import { openDetails } from '../../ledger/details.ts';
import { drillBodyOf, restoreBodyOf } from '../../ledger/evidence-shape.ts';
import { byTime, newestEntries } from '../../ledger/read.ts';
import { type Hearing, type Standing, standingOf } from '../../ledger/standing.ts';
import { decodeLedgerEntry, type LedgerRecord, ledgerDamaged, ledgerKey } from '../../vault/format/index.ts';
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

interface DoubtfulLine {
  readonly id: string;
  readonly time: string;
  readonly kind: string;
  readonly writer: string;
  readonly why: 'stranger' | 'ahead' | 'shapeless';
}

export interface EvidenceList {
  readonly entries: readonly EvidenceLine[];
  /** Newest first, no more than a few of them: what somebody signed whose word does not count, or what is dated ahead. It proves nothing. */
  readonly doubtful: readonly DoubtfulLine[];
  readonly doubtfulCount: number;
  readonly troubles: readonly string[];
}

/** What proves that something came back: drills and restores. */
const proofKinds: ReadonlySet<string> = new Set(['drill', 'restore']);

const mostDoubtful = 20;

/** Drills and restores, newest first. With `stateDir`, what this host knows to be something else is not read again. */
export async function listEvidence(
  destinations: readonly Destination[],
  hearing: Hearing,
  stateDir?: string,
): Promise<EvidenceList> {
  const troubles: string[] = [];
  const entries: EvidenceLine[] = [];
  const doubtful: DoubtfulLine[] = [];
  let doubtfulCount = 0;
  using cache = stateDir === undefined ? undefined : openLedgerCache(stateDir, { create: false });
  for await (const { record, storedMs } of evidence(destinations, cache, (trouble) => troubles.push(trouble))) {
    if (record === undefined) continue;
    const standing = standingOf({ record, storedMs }, hearing);
    const line = standing === 'believed' ? lineOf(record) : undefined;
    if (line !== undefined) {
      entries.push(line);
      continue;
    }
    const { id, time, kind, writer } = record;
    const why = standing === 'believed' ? 'shapeless' : standing;
    if (doubtfulCount++ < mostDoubtful) doubtful.push({ id, time, kind, writer, why });
  }
  return { entries, doubtful, doubtfulCount, troubles };
}

function evidence(destinations: readonly Destination[], cache?: LedgerCache, onTrouble?: (trouble: string) => void) {
  return byTime(
    newestEntries(destinations, { kinds: proofKinds, ...(cache && { cache }), ...(onTrouble && { onTrouble }) }),
  );
}

/** Undefined where the body is none of ours. */
function lineOf({ id, time, kind, body }: LedgerRecord): EvidenceLine | undefined {
  if (kind === 'restore') {
    const restore = restoreBodyOf(body);
    if (restore === undefined) return undefined;
    const { restores, rtoMs } = restore;
    const back = restores.filter(({ outcome }) => outcome !== 'failed').length;
    const verdict = back === restores.length ? 'restored' : 'failed';
    const datasets = restores.map(({ dataset }) => dataset);
    return { id, time, kind, verdict, datasets, checks: restores.length, passed: back, rtoMs };
  }
  const drill = drillBodyOf(body);
  if (drill === undefined) return undefined;
  const { outcome, scope, checks, rtoMs } = drill;
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
  readonly standing: Standing;
  /** What only holders of an identity may read; null without one. */
  readonly details: DrillDetails | null;
}

/**
 * `id`: of an entry of any kind, of a drill, or `latest`: the newest drill or restore that is believed.
 * @throws `evidence-unknown`, `ledger-damaged`
 */
export async function showEvidence(
  destinations: readonly Destination[],
  id: string,
  hearing: Hearing,
  identities: readonly string[],
): Promise<ShownEvidence> {
  const found = await find(destinations, id, hearing);
  if (found === undefined) throw noSuchEvidence({ id });
  const { record } = found;
  const details =
    identities.length === 0 ? null : ((await openDetails(record, identities)) as DrillDetails | undefined);
  return { ...found, details: details ?? null };
}

type Told = Pick<ShownEvidence, 'record' | 'standing'>;

async function find(destinations: readonly Destination[], id: string, hearing: Hearing): Promise<Told | undefined> {
  let damage: unknown;
  if (isUlid(id)) {
    const named = await entryOf(destinations, ledgerKey(id), (error) => {
      damage = error;
    });
    if (named !== undefined) return { record: named.record, standing: standingOf(named, hearing) };
    if (damage !== undefined) throw damage;
  }
  // A drill's own id is a little older than that of its entry. A stranger's may say that it is the same drill.
  const sinceMs = isUlid(id) ? ulidTime(id) : 0;
  let doubtful: Told | undefined;
  for await (const { record, storedMs } of byTime(newestEntries(destinations, { kinds: proofKinds, sinceMs }))) {
    if (record === undefined || (id !== 'latest' && drillId(record) !== id)) continue;
    const standing = standingOf({ record, storedMs }, hearing);
    if (standing === 'believed') return { record, standing };
    if (id !== 'latest') doubtful ??= { record, standing };
  }
  return doubtful;
}

async function entryOf(
  destinations: readonly Destination[],
  key: string,
  onDamage: (error: unknown) => void,
): Promise<{ readonly record: LedgerRecord; readonly storedMs: number } | undefined> {
  for (const destination of destinations) {
    try {
      const record = decodeLedgerEntry(await destination.get(key), key);
      return { record, storedMs: (await destination.stat(key)).modifiedMs };
    } catch (error) {
      if (ledgerDamaged.is(error)) onDamage(error);
    }
  }
  return undefined;
}

function drillId({ body }: LedgerRecord): string | undefined {
  return drillBodyOf(body)?.drill.id;
}
