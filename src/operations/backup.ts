import { placesOf } from '../config/locations.ts';
import type { Weighed } from '../core/anomalies.ts';
import { configurationDataset } from '../core/configuration-dataset.ts';
import { failureOfPlace, sentenceOf } from '../core/errors.ts';
import { isUnread } from '../core/gaps.ts';
import { type LeftOut, leftOutIn } from '../core/left-out.ts';
import type { Problem, Run } from '../core/run.ts';
import { noteState } from '../host/state-folder.ts';
import { openVault, type VaultReader } from '../vault/index.ts';
import {
  openWriter,
  packWithdrawn,
  type WriterSession,
  type WrittenRestorePoint,
  writeRestorePoint,
} from '../vault/write/index.ts';
import { readCounts } from './anomalies/known-counts.ts';
import { weighTaken } from './anomalies/weigh-taken.ts';
import { keepConfiguration } from './configuration/keep.ts';
import { finishCopies, type TakenRestorePoints } from './copy/finish-copies.ts';
import { noteOutage } from './copy/health.ts';
import { noSuchDataset } from './errors.ts';
import { locksOfBackup } from './keep.ts';
import { meetWriters, trustOfWriter } from './known-writers.ts';
import { rememberedOf } from './our-vault.ts';
import { recorded } from './record-run.ts';
import type { OpenSystem } from './system.ts';
import { noteUsed } from './used-destinations.ts';
import { readWrongPacks } from './wrong-packs.ts';

export interface BackupRequest {
  /** All when empty. */
  readonly datasets: readonly string[];
  /** Fill a destination anew whose vault is gone. */
  readonly refill: boolean;
  /** Send again what lies in packs that a removed recipient can open. */
  readonly fresh?: boolean;
  /** Kept until then, milliseconds from the restore point on, besides what the retention says. */
  readonly keepMs?: number;
  /** With `keepMs`: in no rule's place (`pre-migration`). */
  readonly className?: string;
}

export interface BackedUp
  extends Pick<WrittenRestorePoint, 'record' | 'key' | 'needs' | 'sizes' | 'heldBy' | 'problems' | 'unchangedFiles'> {
  readonly dataset: string;
  readonly elapsedMs: number;
  /** What it holds beside those before it. */
  readonly weighed: Weighed;
  /** By which rule of the configuration. */
  readonly leftOut: readonly LeftOut[];
}

export interface BackupOutcome {
  readonly vault: string;
  readonly backedUp: readonly BackedUp[];
  /** The restore point of the configuration itself; undefined when it was kept before and has not changed. */
  readonly configuration: BackedUp | undefined;
  readonly failed: ReadonlyArray<{ readonly dataset: string; readonly error: unknown }>;
  /** Destinations that do not hold every new restore point, and why. */
  readonly behind: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
}

/** Whether a restore point lacks something that it should have. Rules that leave nothing over were not meant so. */
export function isIncomplete(problems: readonly Problem[]): boolean {
  return problems.some(({ code }) => isUnread(code) || code === 'everything-left-out');
}

/**
 * Takes a restore point of each dataset. One that fails does not keep the others from it, nor does a destination: one that
 * lacked too much to wait for it is brought up to date afterwards.
 */
export async function backUp(system: OpenSystem, request: BackupRequest, run: Run): Promise<BackupOutcome> {
  const taken = await takeRestorePoints(system, request, run).catch((error: unknown) => {
    noteOutage(system, error);
    throw error;
  });
  return finishCopies(system, taken, request.refill, run);
}

/** When it returns, another backup may begin. */
async function takeRestorePoints(
  system: OpenSystem,
  request: BackupRequest,
  run: Run,
): Promise<TakenRestorePoints<Omit<BackupOutcome, 'behind'>>> {
  const known = Object.keys(system.config.datasets);
  for (const dataset of request.datasets) if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
  const datasets = request.datasets.length > 0 ? request.datasets : known;

  const { opened, failed: unopened } = await run.step('open destinations', () =>
    system.destinations({ create: true, refill: request.refill }),
  );
  for (const { error } of unopened) run.problem(failureOfPlace(error));
  const [first] = unopened;
  if (opened.length === 0 && first !== undefined) throw first.error;

  const { config, random, tool, packSizes } = system;
  using locks = locksOfBackup(system, opened);
  const options = {
    system: config.name,
    stateDir: config.stateDir,
    recipients: config.vault.recipients,
    destinations: locks.destinations,
    random,
    tool,
    rescue: system.rescue(),
    refill: request.refill,
    fresh: request.fresh ?? false,
    packSizes,
    trust: (vault: string) => trustOfWriter(config, vault),
    wrongPacks: (vault: string) =>
      readWrongPacks(locks.destinations, {
        ...{ vault, system: config.name, trust: trustOfWriter(config, vault) },
        stateDir: config.stateDir,
      }),
  };
  await using session = await openWriter(options, run);
  noteUsed(config.stateDir, session.copies.active);
  noteState(config.stateDir, session.vault, placesOf(config.destinations));

  let reader: Promise<VaultReader> | undefined;
  const taking: Taking = {
    session,
    reader: () =>
      (reader ??= openVault(session.copies.active, {
        trust: (vault) => trustOfWriter(config, vault),
        memory: rememberedOf(config),
        signal: run.signal,
      })),
  };
  const backedUp: BackedUp[] = [];
  const failed: { dataset: string; error: unknown }[] = [];
  const attempt = async <T>(dataset: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (run.signal.aborted || session.copies.active.length === 0) throw error;
      failed.push({ dataset, error });
      return undefined;
    }
  };
  // First: from here on a bare machine knows what belongs to this system.
  const configuration = await attempt(configurationDataset, () =>
    backUpConfiguration(system, session, options.fresh || request.refill, run),
  );
  for (const dataset of datasets) {
    const one = await attempt(dataset, () =>
      run.step(dataset, (run) => backUpOne(system, taking, dataset, request, run)),
    );
    if (one !== undefined) backedUp.push(one);
  }
  const taken = configuration === undefined ? backedUp : [configuration, ...backedUp];
  await run.step('keep', (run) => locks.keepTaken(taken, run));
  await meetWriters(config, session.vault, () => openVault(session.copies.active, { signal: run.signal })).catch(
    (error: unknown) => run.problem({ code: 'writers-unknown', message: sentenceOf(error) }),
  );
  const failures = [...unopened, ...[...session.copies.dropped].map(([name, error]) => ({ name, error }))];
  const outcome = { vault: session.vault, backedUp, configuration, failed };
  return { outcome, failures, aside: session.copies.aside };
}

interface Taking {
  readonly session: WriterSession;
  /** Of the vault, for all datasets: what was read of it once is not read again. */
  readonly reader: () => Promise<VaultReader>;
}

async function backUpOne(
  system: OpenSystem,
  taking: Taking,
  dataset: string,
  request: BackupRequest,
  run: Run,
): Promise<BackedUp> {
  try {
    return await captureOne(system, taking, dataset, request, run);
  } catch (error) {
    if (!packWithdrawn.is(error)) throw error;
    // A prune came between. What it marked is sent anew; everything else is there already.
    run.problem({ code: packWithdrawn.code, message: `${sentenceOf(error)} ${dataset} is captured once more.` });
    return await run.step('again', (run) => captureOne(system, taking, dataset, request, run));
  }
}

async function captureOne(
  system: OpenSystem,
  { session, reader }: Taking,
  dataset: string,
  { keepMs, className = 'standard' }: BackupRequest,
  run: Run,
): Promise<BackedUp> {
  const started = system.clock.elapsed();
  return recorded(system, { operation: 'backup', dataset }, run, async (run) => {
    const source = await system.source(dataset);
    const { versions } = await run.step('inspect', (run) => source.inspect(run));
    // Before the capture begins: a restore point never claims to be younger than what it holds.
    const timeMs = system.clock.now();
    const last = readCounts(system.config.stateDir, session.vault, dataset).points.at(-1);
    await using capture = await run.step('capture', () => source.capture(run, last?.leftOut));
    const { kind, profile } = source;
    const until = keepMs === undefined ? {} : { until: new Date(timeMs + keepMs).toISOString() };
    const retention = { class: className, ...until };
    const request = { dataset, kind, profile, capture, timeMs, versions, retention };
    const written: WrittenRestorePoint = await writeRestorePoint(session, request, run);
    const { record, key, needs, sizes, heldBy, problems, unchangedFiles, facts } = written;
    const weighed = await run.step('compare', (run) => weighTaken(system, session, written, reader, run));
    const leftOut = leftOutIn(facts);
    const elapsedMs = system.clock.elapsed() - started;
    return {
      result: { dataset, record, key, needs, sizes, heldBy, problems, unchangedFiles, elapsedMs, weighed, leftOut },
      restorePoint: record.id,
      isNo: isIncomplete(problems) || weighed.state === 'lost',
    };
  });
}

async function backUpConfiguration(
  system: OpenSystem,
  session: WriterSession,
  always: boolean,
  run: Run,
): Promise<BackedUp | undefined> {
  const started = system.clock.elapsed();
  const written = await keepConfiguration(system, session, always, run);
  if (written === undefined) return undefined;
  const { record, key, needs, sizes, heldBy, problems, unchangedFiles } = written;
  const elapsedMs = system.clock.elapsed() - started;
  const about = { elapsedMs, weighed: { state: 'sound' }, leftOut: [] } as const;
  return { dataset: configurationDataset, record, key, needs, sizes, heldBy, problems, unchangedFiles, ...about };
}
