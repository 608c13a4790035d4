import type { DrillEvidence } from '../../core/evidence.ts';
import type { VaultReader } from '../../vault/vault.ts';
import { openLedgerCache } from '../ledger/cache.ts';
import { newestEntries } from '../ledger/read.ts';

/** What the ledger says of the newest drills of a system. */
export interface Proofs {
  /** The newest drill, whatever came of it. */
  readonly last?: DrillEvidence;
  /** The newest that was proved and left out no dataset but those that the configuration leaves out. */
  readonly proved?: DrillEvidence;
  /** The newest proved drill that had the dataset in its scope. */
  readonly byDataset: ReadonlyMap<string, DrillEvidence>;
  /** Keys of entries that could not be believed: damaged, forged, or signed by a stranger. */
  readonly doubtful: readonly string[];
}

export interface ProofScope {
  readonly datasets: readonly string[];
  /** Those that drills never bring back, by the configuration. */
  readonly leftOut: ReadonlySet<string>;
}

/** Older drills say nothing that matters to the question how things stand now. */
const mostDrills = 50;
/** On a host that knows nothing of the ledger yet. What is read is remembered, so the next look goes further back. With prune.ts and learn-keys.ts at most 5,000. */
const mostRead = 3800;
const drills: ReadonlySet<string> = new Set(['drill']);

/**
 * Reads the newest drills of `system` until each of `datasets` was found proved, and all together but those in `leftOut`. Only entries signed by one of `writers` count:
 * who can write to a destination could otherwise forge a proof.
 */
export async function readProofs(
  vault: VaultReader,
  system: string,
  { datasets, leftOut }: ProofScope,
  writers: ReadonlySet<string>,
  stateDir: string,
): Promise<Proofs> {
  const doubtful: string[] = [];
  const byDataset = new Map<string, DrillEvidence>();
  let last: DrillEvidence | undefined;
  let proved: DrillEvidence | undefined;
  using cache = openLedgerCache(stateDir, { create: false });
  let seen = 0;
  for await (const { key, record } of newestEntries(vault.destinations, { kinds: drills, most: mostRead, cache })) {
    if (seen++ >= mostDrills) break;
    if (record === undefined || record.vault !== vault.id || !writers.has(record.writer)) {
      doubtful.push(key);
      continue;
    }
    const evidence = drillOf(record.body);
    if (evidence?.drill.system !== system) continue;
    last ??= evidence;
    if (evidence.outcome.verdict !== 'proved') continue;
    if (evidence.scope.left.every(({ dataset }) => leftOut.has(dataset))) proved ??= evidence;
    for (const { dataset } of evidence.scope.datasets) if (!byDataset.has(dataset)) byDataset.set(dataset, evidence);
    if (proved && datasets.every((dataset) => byDataset.has(dataset))) break;
  }
  return { byDataset, doubtful, ...(last && { last }), ...(proved && { proved }) };
}

/** The writer signed it, so its shape is ours; only what another version may have left out is looked for. */
function drillOf(body: Readonly<Record<string, unknown>>): DrillEvidence | undefined {
  return 'drill' in body && 'scope' in body && 'outcome' in body ? (body as unknown as DrillEvidence) : undefined;
}
