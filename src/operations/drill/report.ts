import type { CheckResult } from '../../core/checks.ts';
import { formatDuration, roughDuration } from '../../core/duration.ts';
import { isMet, newestSelected } from '../../core/evidence.ts';
import { gapWords } from '../../core/gaps.ts';
import { type LeftOut, leftOutWords } from '../../core/left-out.ts';
import { countOf, formatSize } from '../../core/size.ts';
import type { DrillOutcome } from './parts.ts';

/** How words are marked for a terminal; the plain one leaves them as they are. */
export interface Marking {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

/** One page for people. */
export function drillReport(outcome: DrillOutcome, mark: Marking): string {
  return [
    headline(outcome, mark),
    '',
    ...outcome.datasets.map(datasetLine),
    ...outcome.datasets.flatMap((one) => gapLine(one, mark)),
    ...outcome.leftOut.flatMap(({ dataset, rules }) => rules.map((rule) => ruleLine(dataset, rule, mark))),
    ...outcome.left.map(({ dataset, reason }) => mark.dim(`  – ${dataset}: left out (${reason})`)),
    '',
    ...outcome.checks.map((check) => checkLine(check, mark)),
    '',
    `Back after ${formatDuration(outcome.rtoMs)}: ${phases(outcome)}.`,
    ...outcome.objectives.map((one) => objectiveLine(one, mark)),
    isolationLine(outcome, mark),
    ...keyLines(outcome, mark),
    ...unproved(outcome).map((line) => mark.dim(line)),
    ...outcome.notes.map((note) => mark.warn(`! ${note}`)),
    '',
    ...closing(outcome, mark),
  ].join('\n');
}

function headline(outcome: DrillOutcome, mark: Marking): string {
  const { verdict, checks, datasets, left } = outcome;
  // A drill of a part must not be read as a proof of the whole.
  const part = left.length === 0 ? '' : `${datasets.map(({ dataset }) => dataset).join(', ')} of `;
  const moment = outcome.selection === newestSelected ? '' : ', as of the moment that was chosen,';
  const system = `${part}${outcome.system}${moment}`;
  const passed = checks.filter((check) => check.verdict === 'pass').length;
  const counts = `${passed} of ${countOf(checks.length, 'check')} passed`;
  // What is in no backup is no part of what was proved.
  const gaps = datasets.some((one) => gapWords(one.gaps ?? {}) !== '') ? ', with gaps' : '';
  switch (verdict) {
    case 'proved':
      return mark.good(mark.bold(`PROVED: ${system} comes back${gaps}; ${counts}.`));
    case 'failed':
      return mark.bad(mark.bold(`FAILED: ${system} would not come back as it should; ${counts}.`));
    case 'inconclusive':
      return mark.warn(
        mark.bold(`INCONCLUSIVE: the drill could not find out whether ${system} comes back; ${counts}.`),
      );
  }
}

/** Of a daily key there is nothing to say: it is the usual one. */
function keyLines({ identity }: DrillOutcome, mark: Marking): string[] {
  if (identity.kind === 'daily') return [];
  return identity.opened.length > 0
    ? [mark.good('Only the escrowed key was used, put together from its shares in memory.')]
    : [mark.bad('The escrowed key, put together from its shares, does not open all of this.')];
}

function datasetLine(one: DrillOutcome['datasets'][number]): string {
  if (one.restorePoint === null) return `  ${one.dataset}: no restore point`;
  return `  ${one.dataset}: restore point of ${one.time}, ${formatSize(one.logicalBytes)} (${one.restorePoint})`;
}

function gapLine({ dataset, gaps = {} }: DrillOutcome['datasets'][number], mark: Marking): string[] {
  const words = gapWords(gaps);
  return words === '' ? [] : [mark.warn(`  ! ${dataset} is backed up without: ${words}`)];
}

function ruleLine(dataset: string, rule: LeftOut, mark: Marking): string {
  return mark.dim(`  – ${dataset} is backed up without what is left out by ${leftOutWords(rule)}`);
}

function checkLine(check: CheckResult, mark: Marking): string {
  const signs = { pass: mark.good('✓'), fail: mark.bad('✗'), skip: mark.warn('–'), error: mark.warn('?') } as const;
  return `  ${signs[check.verdict]} ${check.id}: ${check.message} ${mark.dim(formatDuration(Math.round(check.elapsedMs)))}`;
}

function phases(outcome: DrillOutcome): string {
  return outcome.phases.map(({ phase, elapsedMs }) => `${phase} ${formatDuration(elapsedMs)}`).join(', ');
}

function objectiveLine(one: DrillOutcome['objectives'][number], mark: Marking): string {
  const loss = lossOf(one);
  const from = one.rpoFrom === 'newest-record' ? ' by its newest record' : '';
  const back = one.rtoMeasuredMs === null ? 'never' : `after ${formatDuration(one.rtoMeasuredMs)}`;
  const text = `  ${one.dataset}: lost ${loss}${from} (RPO ${roughDuration(one.rpoMs)}), back ${back} (RTO ${roughDuration(one.rtoMs)})`;
  return isMet(one) ? text : mark.bad(`${text}: objective missed`);
}

function lossOf({ rpoMeasuredMs, rpoFrom }: DrillOutcome['objectives'][number]): string {
  if (rpoMeasuredMs !== null) return roughDuration(rpoMeasuredMs);
  return rpoFrom === 'nothing'
    ? 'everything'
    : 'an unknown time (its data is dated after now: a clock is or was wrong)';
}

function isolationLine({ isolation }: DrillOutcome, mark: Marking): string {
  if (isolation === null) return mark.warn('There was no sandbox.');
  if (!isolation.network) return mark.warn('The network was NOT isolated.');
  const files = isolation.files ? 'destinations and keys out of sight' : 'files only partly out of sight';
  return mark.dim(`The network was isolated (proved by trying), ${files}.`);
}

function unproved({ plan }: DrillOutcome): string[] {
  const steps = plan.steps.filter((step) => step.notProved !== undefined);
  return steps.map((step) => `Not proved: ${step.purpose} ${step.notProved}`);
}

function closing(outcome: DrillOutcome, mark: Marking): string[] {
  const lines = outcome.why.map((why) => mark.bad(why));
  if (outcome.evidence !== null) lines.push(mark.dim(`Evidence: ${outcome.evidence}`));
  switch (outcome.verdict) {
    case 'proved':
      return lines;
    case 'failed':
      return [...lines, `Next: ${nextAfterFailure(outcome)}`];
    case 'inconclusive':
      return [
        ...lines,
        "Next: mend what is named above, then run 'lifeboat drill' again. The backups are not at fault.",
      ];
  }
}

function nextAfterFailure(outcome: DrillOutcome): string {
  const failed = outcome.checks.filter((check) => check.verdict === 'fail');
  const old = failed.find((check) => check.id.endsWith('/age'));
  if (old?.dataset !== undefined) return `'lifeboat backup ${old.dataset}', and find out why it had not run.`;
  const newer = failed.find((check) => check.id.endsWith('/newest'));
  if (newer?.dataset !== undefined) {
    return `'lifeboat list ${newer.dataset}', and find out who made the newer ones and why they are doubtful.`;
  }
  const lost = failed.find((check) => check.id.endsWith('/history'));
  if (lost?.dataset !== undefined) {
    return `look at the source of ${lost.dataset}. What is missing there is in the restore point that is named above.`;
  }
  const damaged = failed.find((check) => check.kind === 'restored' || check.kind === 'expectations');
  if (damaged?.dataset !== undefined) {
    return `'lifeboat verify --deep' with the identity, then 'lifeboat backup ${damaged.dataset}' and a drill of the new restore point.`;
  }
  return "mend what is named above, then run 'lifeboat drill' again.";
}
