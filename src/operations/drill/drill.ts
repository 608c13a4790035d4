import { basename, dirname } from 'node:path';
import { foldersOf } from '../../config/locations.ts';
import { recoveryPlan } from '../../core/plan.ts';
import type { Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { openSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { engineOf, engineOrNone, pathsOf } from '../../sources/engines.ts';
import { countsAgainst, passedOverWords, restorePointMissing } from '../../vault/index.ts';
import { stopApplication } from './application.ts';
import { checkAge, checkNewest } from './checks/age.ts';
import { checkConfiguration } from './checks/configuration.ts';
import { checkGaps } from './checks/gaps.ts';
import { type Found, findPoints, scopeOf } from './choose.ts';
import { findingOf } from './faults.ts';
import { conclude } from './outcome.ts';
import type { Drill, DrillOptions, DrillOutcome, DrillParts, Rehearsal } from './parts.ts';
import { record, recordLimitHit, timed } from './results.ts';
import { execute } from './steps.ts';

/**
 * Rehearses the recovery: executes the plan in a sandbox, judges, leaves evidence, and removes everything. What goes wrong with
 * the backup, the plan or the place is in the outcome; it throws only when it was interrupted or its options name nothing.
 * @throws `dataset-unknown`, the reason of an abort
 */
export async function rehearse(parts: DrillParts, options: DrillOptions, run: Run): Promise<DrillOutcome> {
  const rehearsal = begin(parts, options, run);
  const secrets = new Set<string>();
  const found = await timed(rehearsal, 'find', () => find(parts, options, rehearsal, secrets, run));
  // What counts against the drill is among its results.
  const notes = [...found.passedOver.values()].flatMap((newer) =>
    passedOverWords(newer.filter((one) => !countsAgainst(one))),
  );
  let sandbox: Sandbox | undefined;
  let removed = true;
  let rtoMs = 0;
  let drill: Drill | undefined;
  try {
    sandbox = await timed(rehearsal, 'prepare', () => prepare(parts, options, rehearsal, found, secrets, run));
    if (sandbox !== undefined) {
      drill = {
        parts,
        options,
        sandbox,
        copies: new Map(),
        newest: new Map(),
        variables: {},
        ledOut: new Set(),
        secrets,
        notes,
      };
      await execute(rehearsal, drill, found, run);
      await timed(rehearsal, 'check', () => checkConfiguration(rehearsal, drill!, run));
      recordIsolation(rehearsal, drill);
      await recordLimitHit(rehearsal, drill);
    }
  } finally {
    rtoMs = rehearsal.elapsed();
    removed = await timed(rehearsal, 'clean-up', () => cleanUp(sandbox, drill, notes, run));
  }
  return conclude({ rehearsal, parts, options, found, drill, sandbox, rtoMs, removed, notes, run });
}

/** @throws `dataset-unknown` */
export function begin(parts: DrillParts, options: DrillOptions, run: Run): Rehearsal {
  const scope = scopeOf(parts.system, options);
  const startedMs = run.clock.now();
  const began = run.clock.elapsed();
  return {
    id: newUlid(startedMs, parts.random),
    startedMs,
    scope,
    plan: recoveryPlan(parts.system, scope.datasets),
    results: [],
    phases: new Map(),
    backAfterMs: new Map(),
    measured: new Map(),
    elapsed: () => run.clock.elapsed() - began,
  };
}

export async function find(
  parts: DrillParts,
  options: DrillOptions,
  rehearsal: Rehearsal,
  secrets: Set<string>,
  run: Run,
): Promise<Found> {
  const { datasets } = rehearsal.scope;
  let found: Found = { all: [], points: new Map(), passedOver: new Map(), missing: new Map() };
  let failure: { error: unknown } | undefined;
  try {
    found = await run.step('find', (run) => findPoints(parts.vault, parts.system.name, datasets, options.atMs, run));
  } catch (error) {
    run.signal.throwIfAborted();
    if (restorePointMissing.is(error)) throw error;
    failure = { error };
  }
  for (const dataset of datasets) {
    const point = found.points.get(dataset);
    const about = { id: `${dataset}/find`, kind: 'restored', dataset } as const;
    if (failure !== undefined) record(rehearsal, about, findingOf(failure.error, 'a restore point'), 0, secrets);
    else if (point === undefined) {
      const message = found.missing.get(dataset) ?? `There is no restore point of ${dataset}.`;
      record(
        rehearsal,
        about,
        { verdict: 'fail', looked: 0, expected: 'a restore point', actual: 'none', message },
        0,
        secrets,
      );
    } else {
      const rpoMs = parts.system.datasets[dataset]?.rpoMs ?? 0;
      const age = checkAge(point, rpoMs, rehearsal.startedMs, options.atMs);
      record(rehearsal, { id: `${dataset}/age`, kind: 'freshness', dataset }, age, 0, secrets);
      const gaps = checkGaps(point);
      if (gaps !== undefined) record(rehearsal, { id: `${dataset}/gaps`, kind: 'restored', dataset }, gaps, 0, secrets);
      const newest = checkNewest(found.passedOver.get(dataset) ?? []);
      if (newest !== undefined)
        record(rehearsal, { id: `${dataset}/newest`, kind: 'freshness', dataset }, newest, 0, secrets);
    }
  }
  return found;
}

/** Opens the sandbox; when that fails, the reason is among the results. `times`: as much room, and as much time, as a drill takes. */
export async function prepare(
  parts: DrillParts,
  options: DrillOptions,
  rehearsal: Rehearsal,
  found: Found,
  secrets: Set<string>,
  run: Run,
  times: { readonly room: number; readonly time: number } = { room: 1, time: 1 },
): Promise<Sandbox | undefined> {
  const { system } = parts;
  if (found.points.size === 0) return undefined;
  const { app, checks } = system.drill;
  // A database's journal is made beside it.
  const beside = Object.values(system.datasets).flatMap((one) =>
    engineOf(one.type).companions === undefined ? [] : pathsOf(one).map((path) => dirname(path)),
  );
  const workFolders = [...(app === undefined ? [] : [app.directory, ...app.writes]), ...beside];
  const seenFolders = [system.root, ...checks.flatMap((check) => (check.type === 'command' ? [check.directory] : []))];
  try {
    return await run.step('prepare', async () => {
      const sandbox = await openSandbox({
        stateDir: parts.stateDir,
        id: rehearsal.id,
        made: new Date(rehearsal.startedMs).toISOString(),
        needsBytes: needsBytes(found) * times.room,
        needsFiles: needsFiles(found) * times.room,
        limits: { timeMs: longestMs(parts, found) * times.time, ...system.drill.limits },
        workFolders,
        seenFolders,
        hidden: hiddenFrom(parts),
        ...(options.namespaces === false ? { footings: [] } : {}),
      });
      // What keeps a drill from production is shown by trying, also where nothing restored is started.
      try {
        const startsServer = [...found.points.values()].some(
          ({ record }) => engineOrNone(record.kind)?.rehearse !== undefined,
        );
        if (app === undefined && !startsServer) await sandbox.tryOut();
        return sandbox;
      } catch (error) {
        await sandbox[Symbol.asyncDispose]();
        throw error;
      }
    });
  } catch (error) {
    run.signal.throwIfAborted();
    record(rehearsal, { id: 'sandbox', kind: 'restored' }, findingOf(error, 'a place to restore to'), 0, secrets);
    return undefined;
  }
}

/**
 * Whatever holds production's data or secrets: destinations, our state, the folders of identities, each file that the
 * configuration consists of or refers to. The application's own `.env` stays: without it many do not start.
 */
function hiddenFrom({ system, stateDir, hidden }: DrillParts): string[] {
  const { app } = system.drill;
  const isIn = (path: string, folder: string) => path.startsWith(`${folder}/`);
  const isOfApp = (file: string) => app !== undefined && isIn(file, app.directory) && basename(file).startsWith('.env');
  const own = system.files.filter((file) => !isOfApp(file));
  const folders = [...hidden, ...own].map((file) => dirname(file));
  // A folder of secrets goes whole, with what lies beside them; one in which the system or the application lives cannot.
  const homes = [system.root, ...Object.values(system.datasets).flatMap(pathsOf)];
  const keys = folders.filter(
    (folder) =>
      folder !== '/' &&
      ![...homes, ...(app ? [app.directory] : [])].some((home) => home === folder || isIn(home, folder)),
  );
  return [...new Set([stateDir, ...foldersOf(system.destinations), ...hidden, ...own, ...keys])];
}

/** Whoever starts the application without walls may want to see it run; it proves nothing. */
function recordIsolation(rehearsal: Rehearsal, { sandbox, options, secrets }: Drill): void {
  const { network, files } = sandbox.isolation;
  if (!options.withoutIsolation || (network && files)) return;
  const message = 'The application was started although nothing kept it from this host.';
  record(
    rehearsal,
    { id: 'isolation', kind: 'restored' },
    { verdict: 'error', looked: 0, expected: 'a sandbox that holds', actual: 'none', message },
    0,
    secrets,
  );
}

function needsBytes(found: Found): number {
  let sum = 0;
  for (const { record } of found.points.values())
    sum += record.sizes.logical * (engineOrNone(record.kind)?.roomFactor ?? 1.2);
  return Math.ceil(sum);
}

const hourMs = 3_600_000;

/** Whoever is not back after ten times what it may take is not back; in a drill something may run that never ends. */
function longestMs({ system }: DrillParts, found: Found): number {
  return 10 * [...found.points.keys()].reduce((sum, name) => sum + (system.datasets[name]?.rtoMs ?? 0), hourMs / 10);
}

function needsFiles(found: Found): number {
  return [...found.points.values()].reduce((sum, { record }) => sum + record.sizes.entries, 0);
}

/** @returns whether everything is gone */
async function cleanUp(
  sandbox: Sandbox | undefined,
  drill: Drill | undefined,
  notes: string[],
  run: Run,
): Promise<boolean> {
  if (sandbox === undefined) return true;
  try {
    if (drill?.application !== undefined && !run.signal.aborted) await stopApplication(drill);
    await sandbox[Symbol.asyncDispose]();
    return true;
  } catch (error) {
    notes.push(
      `Not everything could be removed; 'lifeboat gc' tries again: ${error instanceof Error ? error.message : String(error)}`,
    );
    return false;
  }
}
