import { formatDuration } from '../core/duration.ts';
import { LifeboatError, sentenceOf } from '../core/errors.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type BackedUp, type BackupOutcome, backUp, isIncomplete } from '../operations/backup.ts';
import { defineCommand, flag } from './command.ts';
import { type ExitCode, exitCodes } from './exit.ts';
import type { Style } from './output.ts';

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
}

interface ReportedPoint {
  readonly dataset: string;
  readonly restorePoint: string;
  readonly time: string;
  readonly sizeBytes: number;
  readonly addedBytes: number;
  readonly storedBytes: number;
  readonly entries: number;
  readonly destinations: readonly string[];
  readonly problems: BackedUp['problems'];
  readonly unchangedFiles: number;
  readonly elapsedMs: number;
}

export const backup = defineCommand({
  words: '[dataset...]',
  description: `Takes a restore point of each dataset named, of all when none is. One that fails does not keep the others from it,
nor does a destination that is down. Exit code 1 when a restore point has gaps or is not everywhere, 2 when one is missing.`,
  options: {
    refill: flag('fill a destination anew whose vault is known to be gone'),
    fresh: flag('send again what a recipient opens who was removed from vault.recipients'),
  },
  async run({ words, options, system, run, out }) {
    const outcome = await backUp(await system(), { datasets: words, ...options }, run);
    const exit = exitOf(outcome);
    out.done(reportOf(outcome), backupText, exit === exitCodes.ok);
    return exit;
  },
});

function exitOf({ failed, behind, backedUp }: BackupOutcome): ExitCode {
  if (failed.length > 0) return exitCodes.failed;
  const whole = behind.length === 0 && backedUp.every(({ problems }) => !isIncomplete(problems));
  return whole ? exitCodes.ok : exitCodes.no;
}

function reportOf({ backedUp, configuration, failed, behind }: BackupOutcome): BackupReport {
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

function reportedPoint({ dataset, record, heldBy, problems, unchangedFiles, elapsedMs }: BackedUp): ReportedPoint {
  return {
    dataset,
    restorePoint: record.id,
    time: record.time,
    sizeBytes: record.sizes.logical,
    addedBytes: record.sizes.added,
    storedBytes: record.sizes.stored,
    entries: record.sizes.entries,
    destinations: heldBy,
    problems,
    unchangedFiles,
    elapsedMs: Math.round(elapsedMs),
  };
}

function backupText({ backedUp, configuration, failed, behind }: BackupReport, style: Style): string {
  const points = configuration === null ? backedUp : [configuration, ...backedUp];
  const lines = points.map(({ dataset, sizeBytes, addedBytes, storedBytes, entries, destinations, elapsedMs }) => {
    const size = `${formatSize(sizeBytes)} in ${countOf(entries, 'entry', 'entries')}`;
    const added = `${formatSize(addedBytes)} new (${formatSize(storedBytes)} stored)`;
    const where = destinations.join(', ');
    return `${style.good('✓')} ${style.bold(dataset)}: ${size}, ${added}, at ${where}, ${formatDuration(elapsedMs)}`;
  });
  for (const { dataset, problems } of points) {
    const shown = problems.slice(0, 10).map(({ message }) => `${style.warn('!')} ${dataset}: ${message}`);
    const more = problems.length - shown.length;
    lines.push(...shown, ...(more > 0 ? [`${style.warn('!')} ${dataset}: and ${countOf(more, 'problem')} more`] : []));
  }
  for (const { destination, why } of behind) {
    lines.push(`${style.warn('!')} ${destination} does not hold all of this: ${why}`);
  }
  for (const { dataset, code, message, hint } of failed) {
    lines.push(`${style.bad('✗')} ${style.bold(dataset)}: ${message}`, `    ${hint} ${style.dim(`[${code}]`)}`);
  }
  return lines.join('\n');
}
