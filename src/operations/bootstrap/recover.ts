import { configurationDataset } from '../../core/configuration-dataset.ts';
import { type LifeboatError, sentenceOf } from '../../core/errors.ts';
import { type PlanStep, recoveryPlan } from '../../core/plan.ts';
import type { Run } from '../../core/run.ts';
import { targetNotEmpty } from '../../sources/errors.ts';
import type { Contents, Restored, Source } from '../../sources/source.ts';
import type { Damage } from '../../vault/hold/index.ts';
import {
  choiceOrNone,
  chooseNewest,
  type PassedOver,
  type RestorePoint,
  type RestorePoints,
  tellPassedOver,
  type VaultReader,
} from '../../vault/index.ts';
import { noSuchDataset } from '../errors.ts';
import { recorded } from '../record-run.ts';
import type { OpenSystem } from '../system.ts';
import { type Compared, compare } from './compare.ts';
import { recoveryTargetTaken } from './errors.ts';
import { bringOwnFiles } from './own-files.ts';
import { openProgress, type Progress } from './progress.ts';

export interface RecoverRequest {
  /** All when empty. */
  readonly datasets: readonly string[];
  /** The newest restore points not younger than this, milliseconds since 1970 UTC; the newest of all when absent. */
  readonly atMs?: number;
  readonly identities: readonly string[];
  /** Replace what is at the targets. */
  readonly force: boolean;
  /** See `RestoreTarget`. */
  readonly trustCode: boolean;
  readonly numericOwners?: boolean;
  /** Also bring back again what an earlier run brought back whole. */
  readonly again: boolean;
  /** A rehearsal: each dataset → where it goes. What is where it was is neither looked at nor changed. */
  readonly into?: ReadonlyMap<string, string>;
}

export interface RecoverOutcome {
  readonly vault: string;
  /** Newer restore points that were not believed, of what was brought back and of the configuration. */
  readonly passedOver: readonly PassedOver[];
  /** In the order of the plan. */
  readonly datasets: readonly Recovered[];
  /** What is left for people to do, in order. */
  readonly manual: readonly PlanStep[];
  readonly damage: readonly Damage[];
  /** Until the last dataset was back; comparing comes after it. */
  readonly rtoMs: number;
  readonly elapsedMs: number;
}

export type Recovered =
  | {
      readonly dataset: string;
      readonly state: 'back';
      readonly point: RestorePoint;
      readonly restored: Restored;
      readonly compared: Compared;
      readonly elapsedMs: number;
      /** From the start of the recovery until it was back. */
      readonly backAfterMs: number;
      readonly rtoMs: number;
    }
  /** An earlier run brought it back from the same restore point. */
  | { readonly dataset: string; readonly state: 'was back'; readonly point: RestorePoint; readonly at: string }
  | { readonly dataset: string; readonly state: 'failed'; readonly error: unknown };

/**
 * Brings everything back to where it belongs, in the order of the recovery plan. A dataset that fails does not keep the others
 * from it; one that an interrupted run brought back whole is not brought back again. Then each is compared with its restore point.
 */
export async function recover(system: OpenSystem, request: RecoverRequest, run: Run): Promise<RecoverOutcome> {
  const { config, clock } = system;
  const known = Object.keys(config.datasets);
  for (const dataset of request.datasets) if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
  const plan = recoveryPlan(config, request.datasets.length > 0 ? request.datasets : known);
  const began = clock.elapsed();
  const damage: Damage[] = [];
  const vault = await run.step('find', () => system.vault((one) => damage.push(one)));
  const found = await vault.of(config.name).restorePoints();
  const passedOver = [...(choiceOrNone(found, configurationDataset, request.atMs)?.passedOver ?? [])];
  tellPassedOver(passedOver, run);
  if (request.into === undefined)
    await run.step('configuration', (run) => bringOwnFiles(config, vault, found, request, run));
  const progress = openProgress(config.stateDir, vault.id);

  const attempts: Attempt[] = [];
  for (const { action, dataset } of plan.steps) {
    if (action !== 'restore' || dataset === undefined) continue;
    run.signal.throwIfAborted();
    const attempt = await bringBack({ system, vault, found, passedOver, progress, began }, dataset, request, run);
    attempts.push(attempt);
  }
  const rtoMs = clock.elapsed() - began;
  const datasets: Recovered[] = [];
  for (const attempt of attempts) datasets.push(await finish(attempt, system, request, run));
  return {
    vault: vault.id,
    passedOver,
    datasets,
    manual: plan.steps.filter(({ action }) => action === 'manual' || action === 'start'),
    damage,
    rtoMs,
    elapsedMs: clock.elapsed() - began,
  };
}

interface Recovery {
  readonly system: OpenSystem;
  readonly vault: VaultReader;
  readonly found: RestorePoints;
  /** Grows with what is chosen. */
  readonly passedOver: PassedOver[];
  readonly progress: Progress;
  readonly began: number;
}

type Fresh = Omit<Extract<Recovered, { state: 'back' }>, 'state' | 'compared'> & {
  readonly state: 'fresh';
  readonly source: Source;
  readonly contents: Contents;
};
interface Placing extends Recovery {
  readonly dataset: string;
  readonly point: RestorePoint;
  readonly source: Source;
  readonly contents: Contents;
}

type Attempt = Exclude<Recovered, { state: 'back' }> | Fresh;

async function bringBack(recovery: Recovery, dataset: string, request: RecoverRequest, run: Run): Promise<Attempt> {
  const { system, vault, found, progress, began } = recovery;
  const { clock, config } = system;
  const started = clock.elapsed();
  try {
    return await run.step(dataset, async (run) => {
      const { point, passedOver } = chooseNewest(found, dataset, request.atMs);
      recovery.passedOver.push(...passedOver);
      tellPassedOver(passedOver, run);
      const into = request.into?.get(dataset);
      const before = into === undefined ? progress.restored(dataset) : undefined;
      const opened = async () => ({
        source: await system.source(dataset),
        contents: await vault.open(point, request.identities),
      });
      if (before?.restorePoint === point.record.id && !request.again) {
        const { source, contents } = await opened();
        if (!(await source.isBare(contents, run))) return { dataset, state: 'was back', point, at: before.at };
      }
      return await recorded<Attempt>(system, { operation: 'restore', dataset }, run, async (run) => {
        const { source, contents } = await opened();
        const { trustCode, numericOwners = false } = request;
        const how = { only: [], trustCode, numericOwners };
        const result = (restored: Restored): Fresh => {
          const now = clock.elapsed();
          const times = { elapsedMs: now - started, backAfterMs: now - began, rtoMs: config.datasets[dataset]!.rtoMs };
          return { dataset, state: 'fresh', point, restored, source, contents, ...times };
        };
        if (into !== undefined) {
          const restored = await source.restore(contents, { ...how, force: request.force, into }, run);
          return { result: result(restored), restorePoint: point.record.id };
        }
        const at = await placedBefore({ ...recovery, dataset, point, source, contents }, run);
        if (at !== undefined && !request.again) {
          return { result: { dataset, state: 'was back', point, at }, restorePoint: point.record.id };
        }
        const wasHere = request.again && progress.restored(dataset) !== undefined;
        // What bootstrap wrote, or anybody with the same bytes, is in the way of nothing.
        const force = request.force || wasHere || ((await source.holdsOnly?.(contents, run)) ?? false);
        const beforePlacing = (mark: string) => progress.notePlacing(dataset, point.record.id, mark);
        const placing = progress.placing(dataset);
        const begun = placing?.restorePoint === point.record.id ? placing.mark : undefined;
        const target = { ...how, force, beforePlacing, ...(begun !== undefined && !request.again && { begun }) };
        const restored = await source.restore(contents, target, run);
        progress.note(dataset, point.record.id, new Date(clock.now()).toISOString());
        return { result: result(restored), restorePoint: point.record.id };
      });
    });
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({ code: 'dataset-not-back', message: `${dataset}: ${sentenceOf(error)}` });
    return {
      dataset,
      state: 'failed',
      error: targetNotEmpty.is(error) && request.into === undefined ? takenOf(dataset, error) : error,
    };
  }
}

function takenOf(dataset: string, error: LifeboatError): LifeboatError {
  return recoveryTargetTaken({ dataset, why: error.message }, { cause: error });
}

/**
 * A run that was killed after the restore point had come to its place, and before that was noted: it is noted now.
 * @returns when; undefined when that is not so, or not certain
 */
async function placedBefore(
  { system, progress, dataset, point, source, contents }: Placing,
  run: Run,
): Promise<string | undefined> {
  const placing = progress.placing(dataset);
  if (placing?.restorePoint !== point.record.id) return undefined;
  if (!(await source.wasPlaced(placing.mark, contents, run))) return undefined;
  const at = new Date(system.clock.now()).toISOString();
  progress.note(dataset, point.record.id, at);
  return at;
}

async function finish(
  attempt: Attempt,
  { config }: OpenSystem,
  { into }: RecoverRequest,
  run: Run,
): Promise<Recovered> {
  if (attempt.state !== 'fresh') return attempt;
  const { source, contents, ...told } = attempt;
  const compared = await run.step(`${told.dataset}/compare`, (run) =>
    compare(
      config.datasets[told.dataset]!,
      { source, contents, restored: told.restored },
      run,
      into?.get(told.dataset),
    ),
  );
  return { ...told, state: 'back', compared };
}
