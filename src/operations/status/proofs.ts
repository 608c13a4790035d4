import type { DrillEvidence } from '../../core/evidence.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { firstSound, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { parseKey } from '../../vault/format/keys.ts';
import { decodeLedgerEntry } from '../../vault/format/ledger.ts';
import type { VaultReader } from '../../vault/vault.ts';

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
const mostRead = 50;

/**
 * Reads the newest drills of `system` until each of `datasets` was found proved, and all together but those in `leftOut`. Only entries signed by one of `writers` count:
 * who can write to a destination could otherwise forge a proof.
 */
export async function readProofs(
  vault: VaultReader,
  system: string,
  { datasets, leftOut }: ProofScope,
  writers: ReadonlySet<string>,
): Promise<Proofs> {
  const doubtful: string[] = [];
  const byDataset = new Map<string, DrillEvidence>();
  let last: DrillEvidence | undefined;
  let proved: DrillEvidence | undefined;
  for (const [key, copies] of (await ledgerCopies(vault)).slice(0, mostRead)) {
    const evidence = await readDrill(vault, key, copies, writers, doubtful);
    if (evidence?.drill.system !== system) continue;
    last ??= evidence;
    if (evidence.outcome.verdict !== 'proved') continue;
    if (evidence.scope.left.every(({ dataset }) => leftOut.has(dataset))) proved ??= evidence;
    for (const { dataset } of evidence.scope.datasets) if (!byDataset.has(dataset)) byDataset.set(dataset, evidence);
    if (proved && datasets.every((dataset) => byDataset.has(dataset))) break;
  }
  return { byDataset, doubtful, ...(last && { last }), ...(proved && { proved }) };
}

interface Copy {
  readonly destination: Destination;
  readonly trace: Trace;
}

/** By key, newest first. */
async function ledgerCopies(vault: VaultReader): Promise<[string, Copy[]][]> {
  const copies = new Map<string, Copy[]>();
  for (const destination of vault.destinations) {
    try {
      for await (const trace of tracesUnder(destination, 'ledger/')) {
        if (parseKey(trace.key)?.type !== 'ledger') continue;
        copies.set(trace.key, [...(copies.get(trace.key) ?? []), { destination, trace }]);
      }
    } catch {
      // Told as the destination's own trouble where restore points are listed.
    }
  }
  return [...copies].sort(([a], [b]) => (a < b ? 1 : -1));
}

async function readDrill(
  vault: VaultReader,
  key: string,
  copies: readonly Copy[],
  writers: ReadonlySet<string>,
  doubtful: string[],
): Promise<DrillEvidence | undefined> {
  let doubt = false;
  for (const { destination, trace } of copies) {
    try {
      const { value: entry } = await firstSound(destination, trace, (bytes) => decodeLedgerEntry(bytes, key));
      if (entry.vault === vault.id && writers.has(entry.writer)) {
        return entry.kind === 'drill' ? drillOf(entry.body) : undefined;
      }
      doubt = true;
    } catch (error) {
      doubt ||= !objectMissing.is(error);
    }
  }
  if (doubt) doubtful.push(key);
  return undefined;
}

/** The writer signed it, so its shape is ours; only what another version may have left out is looked for. */
function drillOf(body: Readonly<Record<string, unknown>>): DrillEvidence | undefined {
  return 'drill' in body && 'scope' in body && 'outcome' in body ? (body as unknown as DrillEvidence) : undefined;
}
