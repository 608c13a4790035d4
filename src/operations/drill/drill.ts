import { dirname } from 'node:path';
import type { Check } from '../../config/system.ts';
import type { CheckKind, CheckResult } from '../../core/checks.ts';
import { needsApplication, type PlanAction, type PlanStep, type RecoveryPlan, recoveryPlan } from '../../core/plan.ts';
import type { Run } from '../../core/run.ts';
import { newUlid } from '../../core/ulid.ts';
import { redactor } from '../../process/redact.ts';
import { openSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import type { Measurement } from '../../sources/source.ts';
import { startApplication, stopApplication } from './application.ts';
import { bringBack } from './bring-back.ts';
import { checkAge } from './checks/age.ts';
import { checkCommand } from './checks/command.ts';
import { checkExpectations } from './checks/expectations.ts';
import { checkFreshness } from './checks/freshness.ts';
import { checkHttp } from './checks/http.ts';
import { checkIntegrity } from './checks/integrity.ts';
import { checkReferences } from './checks/references.ts';
import { checkRestored } from './checks/restored.ts';
import { checkSql } from './checks/sql.ts';
import { type Found, findPoints, type Scope, scopeOf } from './choose.ts';
import { findingOf } from './faults.ts';
import { conclude } from './outcome.ts';
import type { Copy, Drill, DrillOptions, DrillOutcome, DrillParts, Finding } from './parts.ts';

/** What is known of a drill while it runs, besides what its steps work on. */
export interface Rehearsal {
  readonly id: string;
  readonly startedMs: number;
  readonly scope: Scope;
  readonly plan: RecoveryPlan;
  readonly results: CheckResult[];
  readonly phases: Map<string, number>;
  /** Milliseconds after the start at which the last check of a dataset ended. */
  readonly backAfterMs: Map<string, number>;
  readonly measured: Map<string, Measurement>;
  readonly elapsed: () => number;
}

/**
 * Rehearses the recovery: executes the plan in a sandbox, judges, leaves evidence, and removes everything. What goes wrong with
 * the backup, the plan or the place is in the outcome; it throws only when it was interrupted or its options name nothing.
 * @throws `drill-dataset-unknown`, the reason of an abort
 */
export async function rehearse(parts: DrillParts, options: DrillOptions, run: Run): Promise<DrillOutcome> {
  const scope = scopeOf(parts, options);
  const startedMs = run.clock.now();
  const began = run.clock.elapsed();
  const rehearsal: Rehearsal = {
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
  const secrets = new Set<string>();
  const found = await timed(rehearsal, 'find', () => find(parts, options, rehearsal, secrets, run));
  const notes = [...found.suspect];
  let sandbox: Sandbox | undefined;
  let removed = true;
  let rtoMs = 0;
  let drill: Drill | undefined;
  try {
    sandbox = await timed(rehearsal, 'prepare', () => prepare(parts, options, rehearsal, found, secrets, run));
    if (sandbox !== undefined) {
      drill = { parts, options, sandbox, copies: new Map(), newest: new Map(), variables: {}, secrets, notes };
      await execute(rehearsal, drill, found, run);
    }
  } finally {
    rtoMs = rehearsal.elapsed();
    removed = await timed(rehearsal, 'clean-up', () => cleanUp(sandbox, drill, notes, run));
  }
  return conclude({ rehearsal, parts, options, found, drill, sandbox, rtoMs, removed, notes, run });
}

async function find(
  parts: DrillParts,
  options: DrillOptions,
  rehearsal: Rehearsal,
  secrets: Set<string>,
  run: Run,
): Promise<Found> {
  const { datasets } = rehearsal.scope;
  let found: Found = { points: new Map(), suspect: [] };
  let failure: { error: unknown } | undefined;
  try {
    found = await run.step('find', () => findPoints(parts.vault, datasets, options.atMs, run));
  } catch (error) {
    run.signal.throwIfAborted();
    failure = { error };
  }
  for (const dataset of datasets) {
    const point = found.points.get(dataset);
    const about = { id: `${dataset}/find`, kind: 'restored', dataset } as const;
    if (failure !== undefined) record(rehearsal, about, findingOf(failure.error, 'a restore point'), 0, secrets);
    else if (point === undefined) {
      const message = `The vault holds no restore point of ${dataset}${options.atMs === undefined ? '' : ' that is old enough'}.`;
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
    }
  }
  return found;
}

/** Opens the sandbox; when that fails, the reason is among the results. */
async function prepare(
  parts: DrillParts,
  options: DrillOptions,
  rehearsal: Rehearsal,
  found: Found,
  secrets: Set<string>,
  run: Run,
): Promise<Sandbox | undefined> {
  const { system } = parts;
  if (found.points.size === 0) return undefined;
  const datasetFolders = Object.values(system.datasets).flatMap((one) => ('path' in one ? [dirname(one.path)] : []));
  const { app } = system.drill;
  const workFolders = [...(app === undefined ? [] : [app.directory]), system.root, ...datasetFolders];
  try {
    return await run.step('prepare', () =>
      openSandbox({
        stateDir: parts.stateDir,
        id: rehearsal.id,
        made: new Date(rehearsal.startedMs).toISOString(),
        needsBytes: needsBytes(found),
        // The outermost first: a layer over a folder serves everything in it.
        workFolders: [...new Set(workFolders)].filter((folder) => folder !== '/').sort((a, b) => a.length - b.length),
        hidden: [parts.stateDir, ...Object.values(system.destinations).map(({ path }) => path), ...parts.hidden],
        ...(options.namespaces === undefined ? {} : { namespaces: options.namespaces }),
      }),
    );
  } catch (error) {
    run.signal.throwIfAborted();
    record(rehearsal, { id: 'sandbox', kind: 'restored' }, findingOf(error, 'a place to restore to'), 0, secrets);
    return undefined;
  }
}

/** A database takes more room than its dump: indexes, and while it is loaded a log. */
function needsBytes(found: Found): number {
  let sum = 0;
  for (const { record } of found.points.values())
    sum += record.sizes.logical * (record.kind === 'postgres' ? 2.5 : 1.2);
  return Math.ceil(sum);
}

const phaseOf: Readonly<Partial<Record<PlanAction, string>>> = {
  restore: 'restore',
  integrity: 'check',
  expectations: 'check',
  check: 'check',
  start: 'start',
};

/** Every step of the plan that a drill can execute, in the plan's order. */
async function execute(rehearsal: Rehearsal, drill: Drill, found: Found, run: Run): Promise<void> {
  for (const step of rehearsal.plan.steps) {
    const phase = phaseOf[step.action];
    if (phase === undefined) continue;
    run.signal.throwIfAborted();
    await timed(rehearsal, phase, () => run.step(step.id, () => take(step, rehearsal, drill, found, run)));
    const dataset = step.dataset ?? datasetOf(drill, step.id);
    if (dataset !== undefined) rehearsal.backAfterMs.set(dataset, rehearsal.elapsed());
  }
}

async function take(step: PlanStep, rehearsal: Rehearsal, drill: Drill, found: Found, run: Run): Promise<void> {
  const { dataset = '' } = step;
  const conduct = (id: string, kind: CheckKind, of: string | undefined, work: () => Promise<Finding>) =>
    conductCheck(rehearsal, drill, { id, kind, ...(of === undefined ? {} : { dataset: of }) }, work, run);
  const copy = drill.copies.get(dataset);
  switch (step.action) {
    case 'restore': {
      const point = found.points.get(dataset);
      if (point === undefined) return;
      await conduct(`${dataset}/restored`, 'restored', dataset, async () => {
        const back = await bringBack(dataset, point, drill, run);
        drill.copies.set(dataset, back);
        return checkRestored(back);
      });
      return;
    }
    case 'integrity':
      if (copy !== undefined) await examine(copy, rehearsal, drill, run);
      return;
    case 'expectations': {
      const measured = rehearsal.measured.get(dataset);
      if (copy === undefined || measured === undefined) return;
      const { expectations, facts } = copy.contents;
      const why = typeof facts.expectationsAbsent === 'string' ? facts.expectationsAbsent : 'take a new backup.';
      await conduct(`${dataset}/expectations`, 'expectations', dataset, async () =>
        checkExpectations(expectations, expectations && measured.actual, why),
      );
      return;
    }
    case 'start': {
      const { app } = drill.parts.system.drill;
      const absent = rehearsal.scope.datasets.filter((one) => !drill.copies.has(one));
      if (app === undefined) return;
      await conduct('application/start', 'http', undefined, async () =>
        absent.length > 0 ? skipped(`${absent.join(', ')} did not come back`) : startApplication(app, drill, run),
      );
      return;
    }
    case 'check': {
      const check = drill.parts.system.drill.checks.find(({ id }) => id === step.id);
      if (check !== undefined)
        await conduct(check.id, check.type, datasetOf(drill, check.id), () => runCheck(check, rehearsal, drill, run));
      return;
    }
    default:
      return;
  }
}

/** Measures the copy, once for both: the engine's own checks are recorded here, the comparison by its own step. */
async function examine(copy: Copy, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<void> {
  const { dataset, contents } = copy;
  const source = drill.parts.sources[dataset];
  if (source === undefined) return;
  const began = run.clock.elapsed();
  try {
    const recorded = contents.expectations ?? { algorithm: 'none', tables: [] };
    const measured = await source.measure(copy.outside, recorded, run, contents);
    rehearsal.measured.set(dataset, measured);
    const elapsedMs = run.clock.elapsed() - began;
    for (const one of measured.integrity) {
      record(
        rehearsal,
        { id: `${dataset}/${one.name}`, kind: 'integrity', dataset },
        checkIntegrity(one),
        elapsedMs,
        drill.secrets,
      );
    }
  } catch (error) {
    run.signal.throwIfAborted();
    const about = { id: `${dataset}/integrity`, kind: 'integrity', dataset } as const;
    record(rehearsal, about, findingOf(error, 'a copy that can be read'), run.clock.elapsed() - began, drill.secrets);
  }
}

async function runCheck(check: Check, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<Finding> {
  const { signal } = run;
  const left = drill.parts.system.drill.skip.find(({ what }) => what === check.id);
  if (left !== undefined) return skipped(left.reason);
  for (const dataset of datasetsOf(check)) {
    const unscoped = rehearsal.scope.left.find((one) => one.dataset === dataset);
    if (unscoped !== undefined) return skipped(`${dataset} is out of scope: ${unscoped.reason}`);
    if (!drill.copies.has(dataset)) return skipped(`${dataset} did not come back`);
  }
  if (
    needsApplication(check) &&
    drill.application === undefined &&
    (check.type === 'http' || drill.parts.system.drill.app)
  ) {
    return skipped('the application was not started');
  }
  switch (check.type) {
    case 'sql':
      return checkSql(check, copyOf(drill, check.dataset), signal);
    case 'freshness': {
      const { newestMs, ...finding } = await checkFreshness(check, copyOf(drill, check.dataset), signal);
      if (newestMs !== undefined) noteNewest(drill, check.dataset, newestMs);
      return finding;
    }
    case 'references': {
      const files = drill.parts.system.datasets[check.in];
      const productionPath = files !== undefined && 'path' in files ? files.path : '';
      const where = { copy: copyOf(drill, check.in), productionPath };
      return checkReferences(check, copyOf(drill, check.from.dataset), where, signal);
    }
    case 'http':
      return checkHttp(check, drill, signal);
    case 'command':
      return checkCommand(check, drill, signal);
  }
}

function datasetsOf(check: Check): string[] {
  if (check.type === 'references') return [check.from.dataset, check.in];
  return check.type === 'sql' || check.type === 'freshness' ? [check.dataset] : [];
}

/** The dataset that a configured check proves; a reference check proves the files. */
function datasetOf(drill: Drill, id: string): string | undefined {
  const check = drill.parts.system.drill.checks.find((one) => one.id === id);
  return check === undefined ? undefined : datasetsOf(check).at(-1);
}

function copyOf(drill: Drill, dataset: string): Copy {
  const copy = drill.copies.get(dataset);
  if (copy === undefined) throw new Error(`${dataset} did not come back`);
  return copy;
}

function noteNewest(drill: Drill, dataset: string, newestMs: number): void {
  drill.newest.set(dataset, Math.max(newestMs, drill.newest.get(dataset) ?? newestMs));
}

function skipped(reason: string): Finding {
  return { verdict: 'skip', looked: 0, expected: '', actual: 'not looked at', reason, message: `${reason}.` };
}

type About = Pick<CheckResult, 'id' | 'kind' | 'dataset'>;

async function conductCheck(rehearsal: Rehearsal, drill: Drill, about: About, work: () => Promise<Finding>, run: Run) {
  const began = run.clock.elapsed();
  let finding: Finding;
  try {
    finding = await work();
  } catch (error) {
    run.signal.throwIfAborted();
    finding = findingOf(error, 'an answer');
  }
  record(rehearsal, about, finding, run.clock.elapsed() - began, drill.secrets);
}

function record(
  rehearsal: Rehearsal,
  about: About,
  finding: Finding,
  elapsedMs: number,
  secrets: ReadonlySet<string>,
): void {
  const { redact } = redactor([...secrets]);
  const { message, expected, actual } = finding;
  const words = { message: redact(message), expected: redact(expected), actual: redact(actual) };
  rehearsal.results.push({ ...about, ...finding, ...words, elapsedMs });
}

async function timed<T>(rehearsal: Rehearsal, phase: string, work: () => Promise<T>): Promise<T> {
  const began = rehearsal.elapsed();
  try {
    return await work();
  } finally {
    rehearsal.phases.set(phase, (rehearsal.phases.get(phase) ?? 0) + rehearsal.elapsed() - began);
  }
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
