import type { DatasetConfig, System } from '../../config/system.ts';
import { dayMs, formatDuration, hourMs, roughDuration } from '../../core/duration.ts';
import type { DrillEvidence } from '../../core/evidence.ts';
import { formatMoment } from '../../core/moment.ts';
import { checksFailed, type Proofs } from '../../ledger/proofs.ts';
import type { FailureStatus, ProofStatus, StatusTrouble } from './status.ts';
import { bad, warning } from './trouble.ts';

interface DrillFacts {
  readonly nowMs: number;
  readonly proofs: Proofs;
}

export function proofOf(system: System, evidence: DrillEvidence): ProofStatus {
  const checks = evidence.checks.filter((check) => check.verdict !== 'skip');
  return {
    id: evidence.drill.id,
    at: evidence.drill.started,
    checksPassed: checks.filter((check) => check.verdict === 'pass').length,
    checksTotal: checks.length,
    rtoMs: evidence.rtoMs,
    left: evidence.scope.left.map(({ dataset }) => dataset),
    // All is back when the slowest is.
    rtoObjectiveMs: Math.max(...Object.values(system.datasets).map((dataset) => dataset.rtoMs)),
  };
}

/** A drill that failed stands until what failed in it was drilled again: an older proof is no answer any more. */
export function failureOf({ failed }: Proofs): FailureStatus | null {
  const [newest] = [...failed.values()].sort((a, b) => Date.parse(b.drill.started) - Date.parse(a.drill.started));
  if (newest === undefined) return null;
  const { id, started } = newest.drill;
  return { drill: id, at: started, checks: checksFailed(newest).map((check) => check.id) };
}

/** What they say of one dataset. */
export function proofTroubles(
  system: System,
  config: DatasetConfig,
  proof: DrillEvidence | undefined,
  { proofs }: DrillFacts,
): StatusTrouble[] {
  if (!proof) {
    // Said once for the system when nothing at all was ever proved.
    if (proofs.byDataset.size === 0 || system.drill.skip.some((skip) => skip.what === config.name)) return [];
    return [bad('never-proved', 'No drill has proved this dataset yet.', 'lifeboat drill')];
  }
  const objective = proof.objectives.find((one) => one.dataset === config.name);
  const measuredMs = objective?.rtoMeasuredMs ?? null;
  if (measuredMs === null || measuredMs <= config.rtoMs) return [];
  const message = `The last proved drill took ${formatDuration(measuredMs)} to bring it back; the objective is ${formatDuration(config.rtoMs)}.`;
  return [bad('rto-missed', message, `lifeboat evidence list`)];
}

/** What the newest drills say of the system. */
export function drillTroubles(system: System, facts: DrillFacts): StatusTrouble[] {
  const { nowMs, proofs } = facts;
  const { proved, last, fault } = proofs;
  const troubles: StatusTrouble[] = [];
  if (fault) {
    const when = formatMoment(Date.parse(fault.drill.started), nowMs);
    const failed = fault.outcome.verdict === 'failed';
    const said = failed ? `failed${namesOf(checksFailed(fault))}` : 'could not find out whether the backups are good';
    const which = fault === last ? 'The last drill' : 'What has not been drilled again since: the drill';
    const command = `lifeboat evidence show ${fault.drill.id} --identity FILE`;
    troubles.push(bad(`drill-${fault.outcome.verdict}`, `${which} (${when}) ${said}.`, command));
  }
  if (!proved) {
    const what = proofs.byDataset.size === 0 ? 'these backups' : 'all datasets together';
    troubles.push(bad('never-proved', `No drill has proved ${what} yet.`, 'lifeboat drill'));
    return troubles;
  }
  for (const { dataset, reason } of proved.scope.left) {
    const message = `Drills leave out ${dataset} (${reason}): nothing proves that it comes back.`;
    troubles.push(warning('left-out-of-drills', message, 'lifeboat config show'));
  }
  const ageMs = nowMs - Date.parse(proved.drill.started);
  // As late as a day, or a tenth of the interval: a weekly drill may be an hour late without alarm.
  const graceMs = Math.min(dayMs, Math.max(hourMs, system.drill.everyMs / 10));
  if (ageMs > system.drill.everyMs + graceMs) {
    const message = `The last proof is ${roughDuration(ageMs)} old; there should be one every ${formatDuration(system.drill.everyMs)}.`;
    troubles.push(bad('drill-overdue', message, 'lifeboat drill'));
  }
  return troubles;
}

/** `: files open, app-db/expectations and 3 more` */
function namesOf(checks: ReadonlyArray<{ readonly id: string }>): string {
  if (checks.length === 0) return '';
  const more = checks.length > 3 ? ` and ${checks.length - 3} more` : '';
  return `: ${checks
    .slice(0, 3)
    .map(({ id }) => id)
    .join(', ')}${more}`;
}
