import { canonicalJson } from '../../core/canonical-json.ts';
import { sentenceOf } from '../../core/errors.ts';
import {
  checkEvidence,
  type DrillDetails,
  type DrillEvidence,
  drillControls,
  isMet,
  newestSelected,
  type ObjectiveEvidence,
} from '../../core/evidence.ts';
import { gapsIn } from '../../core/gaps.ts';
import { leftOutIn, takesSomething, totalOf } from '../../core/left-out.ts';
import type { Run } from '../../core/run.ts';
import { countOf } from '../../core/size.ts';
import { judge } from '../../core/verdict.ts';
import { redactor } from '../../process/redact.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { aheadToleranceMs, passedOverEvidence } from '../../vault/index.ts';
import { type Found, timeOf } from './choose.ts';
import { openedWith } from './opened-with.ts';
import type { Drill, DrillOptions, DrillOutcome, DrillParts, Rehearsal } from './parts.ts';

interface Ended {
  readonly rehearsal: Rehearsal;
  readonly parts: DrillParts;
  readonly options: DrillOptions;
  readonly found: Found;
  readonly drill: Drill | undefined;
  readonly sandbox: Sandbox | undefined;
  readonly rtoMs: number;
  readonly removed: boolean;
  readonly notes: string[];
  readonly run: Run;
}

/** Judges a drill that ended, and leaves its evidence. */
export async function conclude(ended: Ended): Promise<DrillOutcome> {
  const { rehearsal, parts, options, found, drill, sandbox, notes, run } = ended;
  const { verdict, why } = judge(rehearsal.scope.datasets, rehearsal.results);
  const objectives = objectivesOf(ended);
  const outcome: Omit<DrillOutcome, 'evidence'> = {
    id: rehearsal.id,
    system: parts.system.name,
    verdict,
    why,
    started: iso(rehearsal.startedMs),
    checks: rehearsal.results,
    phases: [...rehearsal.phases].map(([phase, elapsedMs]) => ({ phase, elapsedMs: Math.round(elapsedMs) })),
    rtoMs: Math.round(ended.rtoMs),
    objectives,
    objectivesMet: objectives.every(isMet),
    datasets: datasetsOf(ended),
    leftOut: leftOutOf(drill),
    left: rehearsal.scope.left,
    selection: options.atMs === undefined ? newestSelected : `newest not younger than ${iso(options.atMs)}`,
    isolation: sandbox?.isolation ?? null,
    identity: await openedWith(parts, found, verdict === 'proved', run),
    plan: rehearsal.plan,
    notes,
  };
  const { redact } = redactor([...(drill?.secrets ?? [])]);
  const details: DrillDetails = {
    checks: rehearsal.results.map(({ id, expected, actual, message }) => ({ id, expected, actual, message })),
    why,
    leftOut: outcome.leftOut,
    notes: [...notes, ...(sandbox?.isolation.notes ?? [])].map(redact),
  };
  try {
    const evidence = await run.step('evidence', () => parts.appendLedger('drill', evidenceOf(outcome, ended), details));
    return { ...outcome, evidence: evidence.key };
  } catch (error) {
    // The drill happened all the same; its caller must hear of both.
    notes.push(`The evidence could not be kept: ${sentenceOf(error)}`);
    return { ...outcome, evidence: null };
  }
}

function objectivesOf({ rehearsal, parts, found, drill }: Ended): ObjectiveEvidence[] {
  return rehearsal.scope.datasets.map((dataset) => {
    const config = parts.system.datasets[dataset];
    const point = found.points.get(dataset);
    const newest = drill?.newest.get(dataset);
    const from = newest ?? (point === undefined ? undefined : timeOf(point));
    // From a moment that is still to come nothing can be measured: a clock is or was wrong.
    const ageMs = from === undefined ? Number.NaN : rehearsal.startedMs - from;
    const back = drill?.copies.has(dataset) ? rehearsal.backAfterMs.get(dataset) : undefined;
    return {
      dataset,
      rpoMs: config?.rpoMs ?? 0,
      rpoMeasuredMs: ageMs >= -aheadToleranceMs ? Math.max(0, Math.round(ageMs)) : null,
      rpoFrom: newest !== undefined ? 'newest-record' : point !== undefined ? 'restore-point' : 'nothing',
      rtoMs: config?.rtoMs ?? 0,
      rtoMeasuredMs: back === undefined ? null : Math.round(back),
    };
  });
}

function datasetsOf({ rehearsal, parts, found, drill }: Ended): DrillEvidence['scope']['datasets'] {
  return rehearsal.scope.datasets.map((dataset) => {
    const point = found.points.get(dataset);
    const passedOver = found.passedOver.get(dataset) ?? [];
    return {
      dataset,
      kind: parts.system.datasets[dataset]?.type ?? '',
      restorePoint: point?.record.id ?? null,
      time: point?.record.time ?? null,
      manifestSha256: point?.record.manifest[0] ?? null,
      logicalBytes: point?.record.sizes.logical ?? 0,
      destinations: point?.destinations ?? [],
      gaps: gapsIn(point?.record.problems ?? {}),
      ...leftOutTotal(dataset, drill),
      passedOver: passedOver.length === 0 ? null : passedOverEvidence(passedOver),
    };
  });
}

/** By dataset that came back; those of which nothing was left out are not in it. */
function leftOutOf(drill: Drill | undefined): DrillOutcome['leftOut'] {
  return [...(drill?.copies.values() ?? [])].flatMap(({ dataset, contents }) => {
    const rules = leftOutIn(contents.facts).filter(takesSomething);
    return rules.length === 0 ? [] : [{ dataset, rules }];
  });
}

function leftOutTotal(dataset: string, drill: Drill | undefined): Pick<DrillOutcome['datasets'][number], 'leftOut'> {
  const found = leftOutOf(drill).find((one) => one.dataset === dataset);
  return found === undefined ? {} : { leftOut: totalOf(found.rules) };
}

function evidenceOf(outcome: Omit<DrillOutcome, 'evidence'>, ended: Ended): DrillEvidence {
  const { parts, options, rehearsal, sandbox, drill, run } = ended;
  const { system } = parts;
  const cleanUpMs = outcome.phases.find(({ phase }) => phase === 'clean-up')?.elapsedMs ?? 0;
  return {
    drill: {
      id: outcome.id,
      system: system.name,
      environment: system.environment,
      started: outcome.started,
      ended: iso(run.clock.now()),
      trigger: options.trigger,
      tool: parts.tool,
      configurationFingerprint: parts.fingerprint(system.digest),
      planFingerprint: parts.fingerprint(canonicalJson(outcome.plan)),
    },
    scope: {
      datasets: outcome.datasets,
      left: outcome.left,
      selection: outcome.selection,
    },
    identity: outcome.identity,
    place: {
      isolation: isolationName(sandbox),
      networkIsolated: sandbox?.isolation.network ?? false,
      filesIsolated: sandbox?.isolation.files ?? false,
      // Paths of this host stay here: what was tried, and how many of each held.
      tried: triedOf(sandbox),
      limits: sandbox?.isolation.limits ?? [],
      versions: Object.assign(
        { node: process.versions.node },
        ...[...(drill?.copies.values() ?? [])].map((one) => one.versions),
      ),
    },
    objectives: outcome.objectives,
    phases: outcome.phases,
    rtoMs: outcome.rtoMs,
    checks: rehearsal.results.map(checkEvidence),
    steps: outcome.plan.steps.flatMap(({ id, notProved }) => (notProved === undefined ? [] : [{ id, notProved }])),
    outcome: { verdict: outcome.verdict, reasons: outcome.why.length },
    cleanUp: { removed: ended.removed, elapsedMs: cleanUpMs },
    controls: drillControls,
  };
}

function isolationName(sandbox: Sandbox | undefined): DrillEvidence['place']['isolation'] {
  if (sandbox === undefined || sandbox.isolation.footing === 'none') return 'none';
  return sandbox.isolation.footing === 'root' ? 'namespaces' : 'user-namespaces';
}

function triedOf(sandbox: Sandbox | undefined): string[] {
  const probes = sandbox?.isolation.probes ?? [];
  const network = probes.filter(({ target }) => target.startsWith('tcp '));
  const paths = probes.filter(({ target }) => target.startsWith('path '));
  const reached = paths.filter((one) => one.reached).length;
  const said = network.map(({ target, what }) => `${target}: ${what}`);
  return paths.length === 0 ? said : [...said, `${countOf(paths.length, 'hidden path')}: ${reached} could be read`];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
