import { formatDuration } from '../../core/duration.ts';
import { countOf } from '../../core/size.ts';
import type { Marking } from './report.ts';
import type { SabotagedDataset, SabotageOutcome, Try } from './sabotage.ts';

/** One page for people. */
export function sabotageReport(outcome: SabotageOutcome, mark: Marking): string {
  return [
    headline(outcome, mark),
    ...outcome.datasets.flatMap((one) => ['', ...datasetLines(one, mark)]),
    ...outcome.left.map(({ dataset, reason }) => mark.dim(`– ${dataset}: left out (${reason})`)),
    '',
    ...outcome.why.map((why) => mark.bad(why)),
    mark.dim(
      `This tried the checks, and proves nothing of the backups: it left no evidence. It took ${formatDuration(outcome.elapsedMs)}.`,
    ),
    ...(outcome.verdict === 'caught' ? [] : [next(outcome)]),
  ].join('\n');
}

function headline({ verdict, datasets }: SabotageOutcome, mark: Marking): string {
  const tries = datasets.flatMap((one) => one.tries);
  const count = (of: Try['verdict']) => tries.filter((one) => one.verdict === of).length;
  const tried = tries.length - count('not-tried');
  const untried = `${count('not-tried')} could not be tried here`;
  switch (verdict) {
    case 'caught':
      return mark.good(mark.bold(`CAUGHT: all of ${countOf(tried, 'sabotage')} were seen; ${untried}.`));
    case 'missed':
      return mark.bad(
        mark.bold(`NOT CAUGHT: ${count('missed')} of ${countOf(tried, 'sabotage')} were not seen; ${untried}.`),
      );
    case 'inconclusive':
      return mark.warn(
        mark.bold(
          `INCONCLUSIVE: not every dataset could be tried; ${count('caught')} of ${countOf(tried, 'sabotage')} were seen.`,
        ),
      );
  }
}

function datasetLines({ dataset, restorePoint, tries }: SabotagedDataset, mark: Marking): string[] {
  const where = restorePoint === null ? 'no copy to break' : `restore point ${restorePoint}`;
  return [mark.bold(`${dataset}: ${where}`), ...tries.map((one) => tryLine(one, mark))];
}

function tryLine({ sabotage, verdict, hurt, check, message }: Try, mark: Marking): string {
  switch (verdict) {
    case 'caught':
      return `  ${mark.good('✓')} ${sabotage} (${hurt}): ${mark.dim(`${check}: ${shortened(message)}`)}`;
    case 'missed':
      return mark.bad(`  ✗ ${sabotage} (${hurt}): ${shortened(message)}`);
    case 'not-tried':
      return mark.dim(`  – ${sabotage}: not tried, ${shortened(message)}`);
  }
}

/** What a check says of one sabotage may be long: a table that is lost takes its indexes along. */
function shortened(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim();
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}

function next({ verdict }: SabotageOutcome): string {
  return verdict === 'missed'
    ? 'Next: a check of Lifeboat cannot see this. Tell its makers, and add a check of your own (drill.checks) that does.'
    : "Next: mend what is named above, then run 'lifeboat drill --sabotage' again.";
}
