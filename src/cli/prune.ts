import { formatMoment } from '../core/moment.ts';
import { countOf, formatCount, formatSize } from '../core/size.ts';
import { planRetention } from '../operations/retention-plan.ts';
import { defineCommand, flag } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { pruneNotYet } from './errors.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

interface PruneReport {
  readonly datasets: ReadonlyArray<{
    readonly dataset: string;
    readonly kept: number;
    /** Newest first. */
    readonly dropped: ReadonlyArray<{ readonly id: string; readonly time: string }>;
  }>;
  readonly freedBytes: number;
  readonly freedObjects: number;
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

export const prune = defineCommand({
  description: `Applies each dataset's retention to its restore points and says which would be dropped and how much space that
would free. This version deletes nothing.`,
  options: { dryRun: flag('say what would be dropped; required') },
  async run({ options, system, clock, out }) {
    if (!options.dryRun) throw pruneNotYet({});
    const open = await system();
    const vault = await open.vault(noteDamage(out));
    const { datasets, freedBytes, freedObjects, suspect } = await planRetention(open.config, vault, clock.now());
    const report: PruneReport = {
      datasets: datasets.map(({ dataset, points }) => ({
        dataset,
        kept: points.filter((one) => one.keep).length,
        dropped: points
          .filter((one) => !one.keep)
          .map(({ point: { record } }) => ({ id: record.id, time: record.time })),
      })),
      freedBytes,
      freedObjects,
      suspect,
    };
    out.answer(report, (document, style) => reportText(document, clock.now(), style));
    return suspect.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

function reportText({ datasets, freedBytes, freedObjects, suspect }: PruneReport, nowMs: number, style: Style): string {
  const lines = datasets.flatMap(({ dataset, kept, dropped }) => [
    `${style.bold(dataset)}: ${formatCount(kept)} kept, ${formatCount(dropped.length)} would be dropped`,
    ...dropped.map(({ time, id }) => `  ${formatMoment(Date.parse(time), nowMs)}  ${style.dim(id)}`),
  ]);
  lines.push(`This would free ${formatSize(freedBytes)} in ${countOf(freedObjects, 'object')}. Nothing was deleted.`);
  for (const { key, why } of suspect) lines.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  if (suspect.length > 0)
    lines.push('Nothing may be deleted while a restore point cannot be read. Run: lifeboat verify');
  return lines.join('\n');
}
