import { type Loss, type Measured, weigh } from '../../core/anomalies.ts';
import type { Run } from '../../core/run.ts';
import { type Acceptance, type AcceptBody, dataLost } from '../../ledger/acceptances.ts';
import { allowanceOf, measuredPoints, settledOf } from '../../retention/index.ts';
import { mayProve, newestOrNone, type VaultReader } from '../../vault/index.ts';
import { noSuchDataset } from '../errors.ts';
import { publicKeyHere } from '../known-writers.ts';
import { noteInLedger } from '../note-in-ledger.ts';
import { noSuchPoint } from '../prune-errors.ts';
import type { OpenSystem } from '../system.ts';
import { acceptanceNotHeard, notAccepted, nothingToAccept } from './errors.ts';
import { readCounts } from './known-counts.ts';
import { openCounts, withCounts } from './open-counts.ts';
import { readSettled } from './settled.ts';

export interface AcceptRequest {
  readonly dataset: string;
  /** Stands in the ledger in clear. */
  readonly reason: string;
  /** Id of the restore point that is looked at; the newest when absent. */
  readonly point?: string;
  /** Milliseconds since 1970 UTC. */
  readonly untilMs?: number;
  /** Where this host did not take the backups, it knows how many rows they hold with a key only. */
  readonly identities: readonly string[];
}

export interface Accepted {
  readonly point: string;
  /** The restore point that held the most. */
  readonly fullest: string;
  readonly losses: readonly Loss[];
}

/**
 * Says that what a dataset lost up to a restore point was meant: from now on that one is what later ones are held against, so a further
 * loss fails again. @throws `dataset-unknown`, `restore-point-unknown`, `nothing-to-accept`, `acceptance-not-heard`
 */
export async function acceptLoss(
  system: OpenSystem,
  vault: VaultReader,
  { dataset, reason, point: id, untilMs, identities }: AcceptRequest,
  run: Run,
): Promise<Accepted> {
  const { config } = system;
  demandHeard(system, vault);
  const datasetConfig = config.datasets[dataset];
  if (datasetConfig === undefined) throw noSuchDataset({ dataset, known: Object.keys(config.datasets) });
  const { points } = await vault.of(config.name).restorePoints();
  const last =
    id === undefined
      ? newestOrNone(points, dataset)
      : points.find(({ record }) => record.id === id && record.dataset === dataset);
  if (last === undefined && id !== undefined) throw noSuchPoint({ id });
  if (last === undefined) throw nothingToAccept({ dataset, why: 'it has no restore point' });
  const blind = measuredPoints(points, last, readCounts(config.stateDir, vault.id, dataset));
  const settled = settledOf(blind, dataset, (await readSettled(system, vault, [dataset])).of(dataset));
  const options = { settled, identities, signal: run.signal };
  // The last one twice: its own rows are asked for too.
  const asked = [...blind, ...blind.slice(-1)];
  const opened = identities.length === 0 ? [] : await openCounts(vault, points, asked, options);
  const measured = withCounts(blind, opened);
  const weighed = weigh(measured, settled, allowanceOf(datasetConfig));
  if (weighed.state !== 'lost') {
    throw nothingToAccept({
      dataset,
      why: `nothing is missing from restore point ${last.record.id}, as far as is known here`,
    });
  }
  const now = measured.at(-1)!;
  const body: AcceptBody = {
    action: 'accept',
    system: config.name,
    dataset,
    code: dataLost,
    point: last.record.id,
    reason,
    until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
    before: sizesOf(weighed.since),
    now: sizesOf(now),
  };
  const details = { fullest: weighed.since.id, losses: weighed.losses };
  await noteInLedger(system, vault.id, { kind: 'accept', body, details }, run);
  return { point: last.record.id, fullest: weighed.since.id, losses: weighed.losses };
}

/** Where drills count from some machines only, so do acceptances: another's would be no more than words. @throws `acceptance-not-heard` */
function demandHeard({ config }: OpenSystem, { id, trust }: VaultReader): void {
  const here = publicKeyHere(config, id);
  if (trust.drillers === undefined || (here !== undefined && mayProve(trust, here, config.name))) return;
  throw acceptanceNotHeard({ system: config.name });
}

/** Ends every acceptance of a dataset, or that of one restore point, by name. @throws `not-accepted`, `acceptance-not-heard` */
export async function withdrawAcceptance(
  system: OpenSystem,
  vault: VaultReader,
  { dataset, point }: { readonly dataset: string; readonly point?: string },
  run: Run,
): Promise<readonly Acceptance[]> {
  demandHeard(system, vault);
  const { acceptances } = await readSettled(system, vault, [dataset]);
  const ended = acceptances.filter((one) => one.dataset === dataset && (point === undefined || one.point === point));
  if (ended.length === 0) throw notAccepted({ dataset });
  for (const code of new Set(ended.map((one) => one.code))) {
    const entries = ended.filter((one) => one.code === code).map(({ id }) => id);
    const body: AcceptBody = { action: 'withdraw', system: system.config.name, dataset, code, entries };
    await noteInLedger(system, vault.id, { kind: 'accept', body }, run);
  }
  return ended;
}

function sizesOf({ bytes, entries }: Measured) {
  return { bytes, entries };
}
