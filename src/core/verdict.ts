import { type CheckResult, type DrillVerdict, isDataCheck } from './checks.ts';

export interface Judgement {
  readonly verdict: DrillVerdict;
  /** Why it is not `proved`, one sentence each, the gravest first. Empty when it is. */
  readonly why: readonly string[];
}

/**
 * The verdict of a drill over the datasets in its scope. Proved: every dataset had at least one data check that passed, and no
 * check failed, looked at nothing, or was skipped without a written reason. Failed: the backup or the plan is at fault.
 * Inconclusive: nothing speaks against them, but something kept the drill from finding out. A fault that was found stays found
 * whatever else went wrong.
 */
export function judge(datasets: readonly string[], checks: readonly CheckResult[]): Judgement {
  const failed = checks.filter((check) => check.verdict === 'fail').map((check) => named(check, check.message));
  const hollow = checks.filter(isHollow).map((check) => named(check, 'it passed without looking at anything'));
  const unexplained = checks.filter(isUnexplainedSkip).map((check) => named(check, `skipped: ${check.message}`));
  const errors = checks.filter((check) => check.verdict === 'error').map((check) => named(check, check.message));
  const unproved = datasets.filter((dataset) => !checks.some((check) => check.dataset === dataset && isProof(check)));
  // Where the drill could not look, the lack of a proof is the place's fault, not the plan's.
  const bare = errors.length > 0 ? [] : unproved.map((dataset) => `${dataset}: no check looked into its data.`);
  const empty = datasets.length === 0 ? ['No dataset was in the scope of this drill.'] : [];

  const faults = [...failed, ...hollow, ...unexplained, ...bare, ...empty];
  if (faults.length > 0) return { verdict: 'failed', why: [...faults, ...errors] };
  if (errors.length > 0) return { verdict: 'inconclusive', why: errors };
  return { verdict: 'proved', why: [] };
}

/** Whether `check` by itself shows that data came back: it compared data, found it right, and there was data to compare. */
function isProof(check: CheckResult): boolean {
  return isDataCheck(check) && check.verdict === 'pass' && !isHollow(check) && check.passesOnNothing !== true;
}

function isHollow(check: CheckResult): boolean {
  // Also for NaN and negative numbers, which no honest check gives.
  return check.verdict === 'pass' && !(check.looked > 0) && check.emptyIsRight !== true;
}

function isUnexplainedSkip(check: CheckResult): boolean {
  return check.verdict === 'skip' && !check.reason?.trim();
}

function named(check: CheckResult, message: string): string {
  return `${check.id}: ${message.replace(/\.?$/, '.')}`;
}
