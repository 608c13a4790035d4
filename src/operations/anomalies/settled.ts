import { type Acceptance, readAcceptances } from '../../ledger/acceptances.ts';
import { type Proofs, readProofs } from '../../ledger/proofs.ts';
import type { Settled } from '../../retention/index.ts';
import type { VaultReader } from '../../vault/index.ts';
import { hearingOf } from '../hearing.ts';
import type { OpenSystem } from '../system.ts';

export interface SettledPoints {
  readonly acceptances: readonly Acceptance[];
  of(dataset: string): Settled;
}

/** What the ledger says of datasets of a system: which restore points were proved, and what was accepted. */
export async function readSettled(
  system: Pick<OpenSystem, 'config' | 'clock'>,
  vault: VaultReader,
  datasets: readonly string[],
): Promise<SettledPoints> {
  const hearing = await hearingOf(system, vault);
  const { stateDir } = system.config;
  const scope = { datasets, leftOut: new Set<string>() };
  const [proofs, acceptances] = await Promise.all([
    readProofs(vault.destinations, hearing, scope, stateDir),
    readAcceptances(vault.destinations, hearing, stateDir),
  ]);
  return { acceptances, of: (dataset) => ({ acceptances, proved: provedPoint(proofs, dataset) }) };
}

/** The restore point of the newest proof of a dataset; none where there is no proof. */
export function provedPoint({ byDataset }: Proofs, dataset: string): string[] {
  const proved = byDataset.get(dataset)?.scope.datasets.find((one) => one.dataset === dataset)?.restorePoint;
  return proved == null ? [] : [proved];
}
