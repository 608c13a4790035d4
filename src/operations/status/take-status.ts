import type { Catalog } from '../../catalog/catalog.ts';
import type { System } from '../../config/system.ts';
import type { Weighed } from '../../core/anomalies.ts';
import { type Acceptance, readAcceptances } from '../../ledger/acceptances.ts';
import { emptyLedger, type PruneLedger } from '../../ledger/decisions.ts';
import { type Proofs, readProofs } from '../../ledger/proofs.ts';
import { isLagging, type Lag, lagsOf, measuredPoints, planFor, weighPoints } from '../../retention/index.ts';
import { listGenerations } from '../../vault/generations/index.ts';
import {
  isKnownWriter,
  newestOrNone,
  pointsOf,
  type RestorePoint,
  type Trust,
  type VaultReader,
} from '../../vault/index.ts';
import { readCounts } from '../anomalies/known-counts.ts';
import { provedPoint } from '../anomalies/settled.ts';
import { hearingOf } from '../hearing.ts';
import { publicKeyHere } from '../known-writers.ts';
import { reach } from '../reach.ts';
import type { OpenSystem } from '../system.ts';
import { placementFacts } from '../three-two-one/facts.ts';
import { assess } from './assess.ts';
import { withKeys } from './keys.ts';
import { withLocks } from './locks.ts';
import { readDecisions, withPrune } from './prune.ts';
import type { StatusTrouble, SystemStatus, WriterStatus } from './status.ts';

const nothingProved: Proofs = { byDataset: new Map(), failed: new Map(), doubtful: [], strange: [] };

/** Looks at the vault's records and ledger, needs no key, changes nothing. `catalog`: what happened here, if anything is known. */
export async function takeStatus(
  open: OpenSystem,
  catalog: Pick<Catalog, 'runs' | 'rotation' | 'destinations'> | undefined,
): Promise<SystemStatus> {
  const system = open.config;
  const nowMs = open.clock.now();
  const { destinations, vault, troubles } = await reach(open);
  const { points, suspect } = vault ? await vault.pointsOfAll() : { points: [], suspect: [] };
  const own = pointsOf(system.name, points);
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
  const ledger = once(() =>
    vault === undefined ? Promise.resolve(emptyLedger) : readDecisions(system, vault, points),
  );
  const lags = vault ? await lagsNow(vault, { system, own, points, names, nowMs, ledger }) : [];
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
  if (vault === undefined || generations === undefined) return worstFirst(locked);
  const prunes = catalog?.runs({ operation: 'prune', limit: 10 }) ?? [];
  const sources = {
    config: system,
    vault,
    points,
    generations,
    runs: prunes,
    here: publicKeyHere(open.config, vault.id),
    ledger,
  };
  return worstFirst(await withKeys(await withPrune(locked, sources), open, vault));
}

/** Of what each part of it found. Within a severity they stay as they came. */
function worstFirst(status: SystemStatus): SystemStatus {
  const isBad = ({ severity }: StatusTrouble) => severity === 'bad';
  const rest = status.troubles.filter((trouble) => !isBad(trouble));
  return { ...status, troubles: [...status.troubles.filter(isBad), ...rest] };
}

interface LagSources {
  readonly system: System;
  readonly own: readonly RestorePoint[];
  /** Of the whole vault. */
  readonly points: readonly RestorePoint[];
  readonly names: readonly string[];
  readonly nowMs: number;
  readonly ledger: () => Promise<PruneLedger>;
}

/** The ledger, which knows of pins, is asked only where something is missing somewhere. */
async function lagsNow(
  vault: VaultReader,
  { system, own, points, names, nowMs, ledger: read }: LagSources,
): Promise<Lag[]> {
  if (!isLagging({ points: own, names })) return [];
  const ledger = await read();
  const { kept } = planFor(system, { points, suspect: [] }, { ledger, nowMs });
  return lagsOf({ points: own, names, kept, ledger, withNeeds: vault.withNeeds });
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => (done ??= work());
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
