import type { RunRecord } from '../../catalog/catalog.ts';
import { reach } from '../reach.ts';
import type { OpenSystem } from '../system.ts';
import { assess } from './assess.ts';
import { type Proofs, readProofs } from './proofs.ts';
import type { SystemStatus } from './status.ts';

const nothingProved: Proofs = { byDataset: new Map(), doubtful: [] };

/** Looks at the vault's records and ledger, needs no key, changes nothing. `runs`: the catalog's, newest first. */
export async function takeStatus(open: OpenSystem, runs: readonly RunRecord[]): Promise<SystemStatus> {
  const system = open.config;
  const nowMs = open.clock.now();
  const { destinations, vault, troubles } = await reach(open);
  const { points, suspect } = vault ? await vault.restorePoints() : { points: [], suspect: [] };
  // One vault may serve several systems.
  const own = points.filter((point) => point.record.system === system.name);
  const writers = new Set(own.map((point) => point.record.writer));
  const names = Object.keys(system.datasets);
  const proofs = vault ? await readProofs(vault, system.name, names, writers) : nothingProved;
  return assess(system, { nowMs, points: own, suspect, proofs, troubles, reachable: destinations, runs });
}
