import { type DrillEvidence, newestSelected } from '../core/evidence.ts';
import type { Destination } from '../destinations/destination.ts';
import { mayProve } from '../vault/index.ts';
import { openLedgerCache } from './cache.ts';
import { drillBodyOf } from './evidence-shape.ts';
import { byTime, newestEntries } from './read.ts';
import { type Hearing, standingOf } from './standing.ts';

/** What the ledger says of the newest drills of a system. */
export interface Proofs {
  /** The newest drill, whatever came of it. Here as below, one of a chosen moment says nothing of what there is now. */
  readonly last?: DrillEvidence;
  /** The newest that was not proved, unless every dataset that failed in it was looked at again since. */
  readonly fault?: DrillEvidence;
  /** Of each dataset that failed and was not looked at since, and of `application`, the newest drill in which it did. */
  readonly failed: ReadonlyMap<string, DrillEvidence>;
  /** The newest that was proved and left out no dataset but those that the configuration leaves out. */
  readonly proved?: DrillEvidence;
  /** The newest proved drill that had the dataset in its scope. */
  readonly byDataset: ReadonlyMap<string, DrillEvidence>;
  /** Keys of entries that could not be believed: damaged, dated ahead, or not of the shape of a drill's. */
  readonly doubtful: readonly string[];
  /** Of those that strangers signed: they are told of, and take no other's place. */
  readonly strange: readonly string[];
}

export interface ProofScope {
  readonly datasets: readonly string[];
  /** Those that drills never bring back, by the configuration. */
  readonly leftOut: ReadonlySet<string>;
}

/** Older drills say nothing that matters to the question how things stand now. */
const mostDrills = 50;
/** On a host that knows nothing of the ledger yet. What is read is remembered, so the next look goes further back. With prune.ts, acceptances.ts and learn-keys.ts at most 5,000. */
const mostRead = 3300;
const drills: ReadonlySet<string> = new Set(['drill']);

/**
 * Reads the newest drills of a system until each of `datasets` was found proved, and all together but those in `leftOut`. Only entries
 * that are believed count: who can write to a destination could otherwise forge a proof, or bury the true one.
 */
export async function readProofs(
  destinations: readonly Destination[],
  hearing: Hearing,
  { datasets, leftOut }: ProofScope,
  stateDir: string,
): Promise<Proofs> {
  const doubtful: string[] = [];
  const strange: string[] = [];
  const byDataset = new Map<string, DrillEvidence>();
  let last: DrillEvidence | undefined;
  let fault: DrillEvidence | undefined;
  let proved: DrillEvidence | undefined;
  const failed = new Map<string, DrillEvidence>();
  const lookedAt = new Set<string>();
  using cache = openLedgerCache(stateDir, { create: false });
  let seen = 0;
  const isOurs = (writer: string) => mayProve(hearing.trust, writer, hearing.system);
  const entries = newestEntries(destinations, { kinds: drills, most: mostRead, cache, isOurs });
  for await (const { key, record, storedMs } of byTime(entries)) {
    const standing = record === undefined ? 'damaged' : standingOf({ record, storedMs }, hearing);
    if (standing !== 'believed') {
      (standing === 'stranger' ? strange : doubtful).push(key);
      continue;
    }
    if (seen++ >= mostDrills) break;
    const evidence = drillBodyOf(record?.body);
    if (evidence === undefined) doubtful.push(key);
    if (evidence?.drill.system !== hearing.system) continue;
    if (evidence.scope.selection !== newestSelected) continue;
    last ??= evidence;
    const isWhole = evidence.scope.left.every(({ dataset }) => leftOut.has(dataset));
    const open = evidence.outcome.verdict === 'proved' ? [] : blamed(evidence).filter((what) => !lookedAt.has(what));
    if (open.length > 0) fault ??= evidence;
    if (evidence.outcome.verdict === 'failed') {
      const wrong = new Set(checksFailed(evidence).map(({ dataset }) => dataset ?? application));
      for (const what of open)
        if (!failed.has(what) && (wrong.size === 0 || wrong.has(what))) failed.set(what, evidence);
    }
    if (evidence.outcome.verdict !== 'inconclusive') {
      for (const { dataset } of evidence.scope.datasets) lookedAt.add(dataset);
      if (isWhole) lookedAt.add(application);
    }
    if (evidence.outcome.verdict !== 'proved') continue;
    if (isWhole) proved ??= evidence;
    for (const { dataset } of evidence.scope.datasets) if (!byDataset.has(dataset)) byDataset.set(dataset, evidence);
    if (proved && datasets.every((dataset) => byDataset.has(dataset))) break;
  }
  return {
    byDataset,
    failed,
    doubtful,
    strange,
    ...(last && { last }),
    ...(fault && { fault }),
    ...(proved && { proved }),
  };
}

/** What no dataset is to blame for. None has this name. */
const application = '';

export function checksFailed({ checks }: DrillEvidence): DrillEvidence['checks'] {
  return checks.filter(({ verdict }) => verdict === 'fail');
}

/** Whose checks did not pass; where none says so, all that was in the drill. */
function blamed({ checks, scope }: DrillEvidence): string[] {
  const bad = checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'error');
  if (bad.length > 0) return bad.map(({ dataset }) => dataset ?? application);
  return scope.datasets.map(({ dataset }) => dataset);
}
