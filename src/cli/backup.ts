import { type AcceptedWarning, isAccepted } from '../core/accepted.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { isGap } from '../core/gaps.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type BackupDocument, backupJob, type TakenPoint, takenPoints } from '../jobs/backup.ts';
import { lossHelp, nothingToCompare } from '../operations/anomalies/words.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { leftOutLines } from './left-out-text.ts';
import type { Style } from './output.ts';
import { requestLines } from './request-text.ts';

export const backup = defineCommand({
  words: '[dataset...]',
  description: `Takes a restore point of each dataset named, of all when none is. One that fails does not keep the others from it,
nor does a destination that is down. Exit code 1 when a restore point has gaps, lost most of what was there before, or is not at every required
destination, 2 when one is missing.`,
  options: {
    refill: flag('fill a destination anew whose vault is known to be gone'),
    fresh: flag('send again what a recipient opens who was removed from vault.recipients'),
    keep: value('<duration>', 'keep the restore point at least so long: 30d', parseDuration),
    class: value('<name>', 'with --keep: a class of its own (pre-migration), which takes no place in the retention'),
  },
  async run({ words, options, job, config, out }) {
    const { refill, fresh, keep: keepMs, class: className } = options;
    if (className !== undefined && (keepMs === undefined || className === '' || className.length > 40)) {
      throw usageWrong({ what: '--class needs --keep and a name of at most 40 letters.', command: 'lifeboat backup' });
    }
    const kept = { ...(keepMs !== undefined && { keepMs }), ...(className !== undefined && { className }) };
    const { document, answer } = await job(backupJob, { datasets: words, refill, fresh, ...kept });
    const { accepted } = await config();
    // Who asks to hear only what went wrong wants to hear what is missing.
    const well = answer === 'ok' && !takenPoints(document).some((point) => hasGaps(point, accepted));
    out.done(document, (document, style) => backupText(document, style, accepted), well);
    return exitCodes[answer];
  },
});

function hasGaps({ dataset, problems }: TakenPoint, accepted: readonly AcceptedWarning[]): boolean {
  return problems.some(({ code }) => isGap(code) && !isAccepted(accepted, code, dataset));
}

function backupText(report: BackupDocument, style: Style, accepted: readonly AcceptedWarning[]): string {
  const { failed, behind, requests } = report;
  const points = takenPoints(report);
  const lines = points.map(({ dataset, sizeBytes, addedBytes, storedBytes, entries, destinations, elapsedMs }) => {
    const size = `${formatSize(sizeBytes)} in ${countOf(entries, 'entry', 'entries')}`;
    const added = `${formatSize(addedBytes)} new (${formatSize(storedBytes)} stored)`;
    const where = destinations.join(', ');
    return `${style.good('✓')} ${style.bold(dataset)}: ${size}, ${added}, at ${where}, ${formatDuration(elapsedMs)}`;
  });
  for (const { dataset, leftOut } of points) {
    lines.push(...leftOutLines(leftOut).map((line) => style.dim(`  – ${dataset}: left out by ${line}`)));
  }
  for (const { dataset, problems: all } of points) {
    const problems = all.filter(({ code }) => !isAccepted(accepted, code, dataset));
    const shown = problems.slice(0, 10).map(({ message }) => `${style.warn('!')} ${dataset}: ${message}`);
    const more = problems.length - shown.length;
    lines.push(...shown, ...(more > 0 ? [`${style.warn('!')} ${dataset}: and ${countOf(more, 'problem')} more`] : []));
  }
  for (const { dataset, restorePoint, data, lost, fullest } of points) {
    if (data === 'empty') lines.push(`${style.warn('!')} ${dataset}: ${nothingToCompare}`);
    if (lost === null || fullest === null) continue;
    lines.push(`${style.bad('✗')} ${style.bold(dataset)}: ${lost} This restore point is kept all the same.`);
    lines.push(...lossHelp(dataset, restorePoint, fullest).map((line) => `    ${line}`));
  }
  for (const { destination, why } of behind) {
    lines.push(`${style.warn('!')} ${destination} does not hold all of this: ${why}`);
  }
  const missing = [...new Set(points.flatMap(({ missingAt }) => missingAt))];
  if (missing.length > 0) {
    const what = points.filter(({ missingAt }) => missingAt.length > 0).map(({ dataset }) => dataset);
    lines.push(`${style.warn('!')} Not protected yet: ${what.join(', ')} must also be at ${missing.join(', ')}.`);
    lines.push(`    ${style.dim('run:')} lifeboat copy, when it answers again; the next backup also sees to it`);
  }
  lines.push(...requestLines(requests, style));
  for (const { dataset, code, message, hint } of failed) {
    lines.push(`${style.bad('✗')} ${style.bold(dataset)}: ${message}`, `    ${hint} ${style.dim(`[${code}]`)}`);
  }
  return lines.join('\n');
}
