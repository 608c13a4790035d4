import type { Catalog } from '../../catalog/catalog.ts';
import type { System } from '../../config/system.ts';
import type { Weighed } from '../../core/anomalies.ts';
import { newestOrNone } from '../../vault/newest.ts';
import { listGenerations } from '../../vault/prune/generations.ts';
import { isKnownWriter, type Trust } from '../../vault/trust.ts';
import type { RestorePoint } from '../../vault/vault.ts';
import { type Acceptance, readAcceptances } from '../anomalies/acceptances.ts';
import { readCounts } from '../anomalies/known-counts.ts';
import { provedPoint } from '../anomalies/settled.ts';
import { measuredPoints, weighPoints } from '../anomalies/weigh.ts';
import { lagsOf } from '../copy/protection.ts';
import { publicKeyHere } from '../known-writers.ts';
import { hearingOf } from '../ledger/hearing.ts';
import { reach } from '../reach.ts';
import type { OpenSystem } from '../system.ts';
import { placementFacts } from '../three-two-one/facts.ts';
import { assess } from './assess.ts';
import { withKeys } from './keys.ts';
import { withLocks } from './locks.ts';
import { type Proofs, readProofs } from './proofs.ts';
import { withPrune } from './prune.ts';
import type { SystemStatus, WriterStatus } from './status.ts';

const nothingProved: Proofs = { byDataset: new Map(), failed: new Map(), doubtful: [], strange: [] };

/** Looks at the vault's records and ledger, needs no key, changes nothing. `catalog`: what happened here, if anything is known. */
export async function takeStatus(
  open: OpenSystem,
  catalog: Pick<Catalog, 'runs' | 'rotation' | 'destinations'> | undefined,
): Promise<SystemStatus> {
  const system = open.config;
  const nowMs = open.clock.now();
  const { destinations, vault, troubles } = await reach(open);
  const { points, suspect } = vault ? await vault.restorePoints() : { points: [], suspect: [] };
  // One vault may serve several systems.
  const own = points.filter((point) => point.record.system === system.name);
  const leftOut = new Set(system.drill.skip.map(({ what }) => what));
  const scope = { datasets: Object.keys(system.datasets), leftOut };
  const hearing = vault && (await hearingOf(open, vault));
  const [proofs, generations] = await Promise.all([
    hearing ? readProofs(destinations, hearing, scope, system.stateDir) : nothingProved,
    vault && listGenerations(vault.destinations, { vault: vault.id, trust: vault.trust }),
  ]);
  // After the proofs: by now it is remembered which entries are none.
  const acceptances = hearing ? await readAcceptances(destinations, hearing, system.stateDir) : [];
  const runs = catalog?.runs({ limit: 200 }) ?? [];
  const rotation = vault && catalog?.rotation(vault.id);
  const health = catalog?.destinations() ?? [];
  const placement = await placementFacts(system, destinations);
  const names = destinations.map(({ name }) => name);
  const lags = vault ? await lagsOf(system, own, names, nowMs, vault.withNeeds) : [];
  const status = assess(system, {
    nowMs,
    points: own,
    suspect,
    proofs,
    weighed: vault ? weighNewest(system, vault.id, own, proofs, acceptances) : new Map(),
    acceptances,
    troubles,
    reachable: destinations,
    runs,
    rotation,
    health,
    lags,
    placement,
  });
  const signed = { ...status, writers: vault ? writersOf(own, vault.trust, system.name) : [] };
  const locked = withLocks(signed, open);
  if (vault === undefined || generations === undefined) return locked;
  const prunes = catalog?.runs({ operation: 'prune', limit: 10 }) ?? [];
  const sources = {
    config: system,
    vault,
    points,
    generations,
    runs: prunes,
    here: publicKeyHere(open.config, vault.id),
  };
  return withKeys(await withPrune(locked, sources), open, vault);
}

function weighNewest(
  { datasets, stateDir }: System,
  vault: string,
  points: readonly RestorePoint[],
  proofs: Proofs,
  acceptances: readonly Acceptance[],
): Map<string, Weighed> {
  const weighed = new Map<string, Weighed>();
  for (const [dataset, config] of Object.entries(datasets)) {
    const newest = newestOrNone(points, dataset);
    if (newest === undefined) continue;
    const measured = measuredPoints(points, newest, readCounts(stateDir, vault, dataset));
    weighed.set(dataset, weighPoints(measured, config, { proved: provedPoint(proofs, dataset), acceptances }));
  }
  return weighed;
}

function writersOf(points: readonly RestorePoint[], trust: Trust, system: string): WriterStatus[] {
  const counts = new Map<string, number>();
  for (const { record } of points) counts.set(record.writer, (counts.get(record.writer) ?? 0) + 1);
  return [...counts].map(([writer, restorePoints]) => ({
    writer,
    restorePoints,
    known: trust.writers === undefined ? null : isKnownWriter(trust, writer, system),
  }));
}
