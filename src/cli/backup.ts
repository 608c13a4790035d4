import type { System } from '../config/system.ts';
import { type AcceptedWarning, isAccepted } from '../core/accepted.ts';
import type { Weighed } from '../core/anomalies.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import { isGap } from '../core/gaps.ts';
import { countOf, formatSize } from '../core/size.ts';
import { lossHelp, lossSentence, nothingToCompare } from '../operations/anomalies/words.ts';
import { auditedBackUp } from '../operations/audit/audited.ts';
import { type BackedUp, type BackupOutcome, isIncomplete } from '../operations/backup.ts';
import type { OpenSystem } from '../operations/system.ts';
import { missingFor } from '../retention/index.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import { leftOutLines } from './left-out-text.ts';
import type { Style } from './output.ts';
import { requestLines } from './request-text.ts';

interface BackupReport {
  readonly backedUp: readonly ReportedPoint[];
  /** Of lifeboat.yaml and what belongs to it; null when nothing of it changed. */
  readonly configuration: ReportedPoint | null;
  readonly failed: ReadonlyArray<{
    readonly dataset: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  }>;
  readonly behind: BackupOutcome['behind'];
  /** By destination and operation, where a provider counts them. */
  readonly requests: ReturnType<OpenSystem['requests']>;
}

/** What `required` of the configuration says of where a restore point has to be. */
type Destinations = System['destinations'];

interface ReportedPoint {
  readonly dataset: string;
  readonly restorePoint: string;
  readonly time: string;
  readonly sizeBytes: number;
  readonly addedBytes: number;
  readonly storedBytes: number;
  readonly entries: number;
  readonly destinations: readonly string[];
  /** Required destinations that do not hold it yet: it is protected when there are none. */
  readonly missingAt: readonly string[];
  readonly problems: BackedUp['problems'];
  /** By which rule; those of `exclude` that took nothing too. */
  readonly leftOut: BackedUp['leftOut'];
  readonly unchangedFiles: number;
  readonly elapsedMs: number;
  /** `lost`: most of what was there before is gone, and nobody accepted that. */
  readonly data: Weighed['state'];
  /** A sentence; null where nothing is lost. */
  readonly lost: string | null;
  /** The restore point that held the most of it. */
  readonly fullest: string | null;
}

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
  async run({ words, options, system, run, out }) {
    const open = await system();
    const { refill, fresh, keep: keepMs, class: className } = options;
    if (className !== undefined && (keepMs === undefined || className === '' || className.length > 40)) {
      throw usageWrong({ what: '--class needs --keep and a name of at most 40 letters.', command: 'lifeboat backup' });
    }
    const kept = { ...(keepMs !== undefined && { keepMs }), ...(className !== undefined && { className }) };
    const outcome = await auditedBackUp(open, { datasets: words, refill, fresh, ...kept }, run);
    const report = { ...reportOf(outcome, open.config.destinations), requests: open.requests() };
    const exit = exitOf(report);
    const { accepted } = open.config;
    // Who asks to hear only what went wrong wants to hear what is missing.
    const well = exit === exitCodes.ok && !takenPoints(report).some((point) => hasGaps(point, accepted));
    out.done(report, (document, style) => backupText(document, style, accepted), well);
    return exit;
  },
});

function takenPoints({ backedUp, configuration }: BackupReport): readonly ReportedPoint[] {
  return configuration === null ? backedUp : [configuration, ...backedUp];
}

function hasGaps({ dataset, problems }: ReportedPoint, accepted: readonly AcceptedWarning[]): boolean {
  return problems.some(({ code }) => isGap(code) && !isAccepted(accepted, code, dataset));
}

function exitOf(report: BackupReport): ExitCode {
  if (report.failed.length > 0) return exitCodes.failed;
  const whole = takenPoints(report).every(
    ({ problems, missingAt, data }) => missingAt.length === 0 && !isIncomplete(problems) && data !== 'lost',
  );
  return whole ? exitCodes.ok : exitCodes.no;
}

function reportOf(
  { backedUp, configuration, failed, behind }: BackupOutcome,
  destinations: Destinations,
): Omit<BackupReport, 'requests'> {
  const reportedPoint = (point: BackedUp) => reportOne(point, destinations);
  return {
    backedUp: backedUp.map(reportedPoint),
    configuration: configuration === undefined ? null : reportedPoint(configuration),
    failed: failed.map(({ dataset, error }) => ({
      dataset,
      code: error instanceof LifeboatError ? error.code : 'unexpected',
      message: sentenceOf(error),
      hint: error instanceof LifeboatError ? error.hint : '',
    })),
    behind,
  };
}

function reportOne(
  { dataset, record, sizes, heldBy, problems, leftOut, unchangedFiles, elapsedMs, weighed }: BackedUp,
  destinations: Destinations,
): ReportedPoint {
  return {
    dataset,
    restorePoint: record.id,
    time: record.time,
    sizeBytes: sizes.logical,
    addedBytes: sizes.added,
    storedBytes: sizes.stored,
    entries: sizes.entries,
    destinations: heldBy,
    missingAt: missingFor(destinations, heldBy),
    problems,
    leftOut,
    unchangedFiles,
    elapsedMs: Math.round(elapsedMs),
    data: weighed.state,
    lost: weighed.state === 'lost' ? lossSentence(weighed) : null,
    fullest: weighed.state === 'lost' ? weighed.since.id : null,
  };
}

function backupText(report: BackupReport, style: Style, accepted: readonly AcceptedWarning[]): string {
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
