import type { Check } from '../../config/system.ts';
import type { CheckKind } from '../../core/checks.ts';
import { pathFromText } from '../../core/paths.ts';
import { needsApplication, type PlanAction, type PlanStep } from '../../core/plan.ts';
import type { Run } from '../../core/run.ts';
import { engineOf, placeOf } from '../../sources/engines.ts';
import { startApplication } from './application.ts';
import { bringBack } from './bring-back.ts';
import { checkCommand } from './checks/command.ts';
import { checkFreshness } from './checks/freshness.ts';
import { checkHistory, type History, historyOf } from './checks/history.ts';
import { checkHttp } from './checks/http.ts';
import { checkReferences } from './checks/references.ts';
import { checkRestored } from './checks/restored.ts';
import type { RestoredTree } from './checks/restored-files.ts';
import { anotherOrigin } from './checks/same-origin.ts';
import { checkSql } from './checks/sql.ts';
import type { Found } from './choose.ts';
import { compareWithRecorded, examine } from './compare.ts';
import { findingOf } from './faults.ts';
import { watchOpening } from './opening.ts';
import type { Copy, Drill, Finding, Rehearsal } from './parts.ts';
import { readHereSentence } from './read-here.ts';
import { conductCheck, record, timed } from './results.ts';

const phaseOf: Readonly<Partial<Record<PlanAction, string>>> = {
  restore: 'restore',
  integrity: 'check',
  expectations: 'check',
  check: 'check',
  start: 'start',
};

/** Every step of the plan that a drill can execute, in the plan's order. */
export async function execute(rehearsal: Rehearsal, drill: Drill, found: Found, run: Run): Promise<void> {
  const history = historyOf(drill.parts, found.all, run);
  for (const step of rehearsal.plan.steps) {
    const phase = phaseOf[step.action];
    if (phase === undefined) continue;
    run.signal.throwIfAborted();
    await timed(rehearsal, phase, () => run.step(step.id, (run) => take(step, rehearsal, drill, found, history, run)));
    const dataset = step.dataset ?? datasetOf(drill, step.id);
    if (dataset !== undefined) rehearsal.backAfterMs.set(dataset, rehearsal.elapsed());
  }
  if (drill.application !== undefined && drill.neverOpened !== undefined)
    drill.notes.push(...(await drill.neverOpened()));
  const readHere = await readHereSentence(drill);
  if (readHere !== undefined) drill.notes.push(readHere);
}

async function take(
  step: PlanStep,
  rehearsal: Rehearsal,
  drill: Drill,
  found: Found,
  history: History,
  run: Run,
): Promise<void> {
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
      await compareWithRecorded(copy, rehearsal, drill, run);
      const began = run.clock.elapsed();
      const loss = await checkHistory(copy, drill, history, measured.actual, run).catch((error: unknown) => {
        run.signal.throwIfAborted();
        return findingOf(error, 'the restore points before it');
      });
      const other = await anotherOrigin(copy, drill, history, run).catch(() => undefined);
      run.signal.throwIfAborted();
      if (other !== undefined) drill.notes.push(other);
      const about = { id: `${dataset}/history`, kind: 'expectations', dataset } as const;
      if (loss !== undefined) record(rehearsal, about, loss, run.clock.elapsed() - began, drill.secrets);
      return;
    }
    case 'start': {
      const { app } = drill.parts.system.drill;
      if (app === undefined) return;
      const why = whyNotToStart(rehearsal, drill);
      if (why === undefined) drill.neverOpened = await watchOpening(app, drill);
      await conduct('application/start', 'http', undefined, async () =>
        why === undefined ? startApplication(app, drill, run) : skipped(why),
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

/** The application needs all of its data. What the configuration leaves out for good, it must do without. */
function whyNotToStart({ scope }: Rehearsal, { copies, options }: Drill): string | undefined {
  const absent = scope.datasets.filter((dataset) => !copies.has(dataset));
  if (absent.length > 0) return `${absent.join(', ')} did not come back`;
  if (options.datasets.length === 0 || scope.left.length === 0) return undefined;
  return 'not all datasets were chosen for this drill';
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
      const files = { trees: restoredTrees(drill), dataset: check.in };
      return checkReferences(check, copyOf(drill, check.from.dataset), files, signal);
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

/** The files that came back, and where they were in production, by each of the paths that it has there. */
function restoredTrees({ copies, parts }: Drill): RestoredTree[] {
  return [...copies.values()].flatMap(({ dataset, kind, outside, contents: { facts } }) => {
    const config = parts.system.datasets[dataset];
    const place = config === undefined ? undefined : placeOf(config);
    if (place === undefined || !('path' in place) || engineOf(kind).holds !== 'files') return [];
    const recorded = typeof facts.path === 'string' ? [pathFromText(facts.path)] : [];
    const real = typeof facts.realPath === 'string' ? [facts.realPath] : [];
    return [{ dataset, copy: pathFromText(outside), homes: [pathFromText(place.path), ...recorded, ...real] }];
  });
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
