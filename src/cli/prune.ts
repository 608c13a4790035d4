import { formatMoment } from '../core/moment.ts';
import { countOf, formatCount, formatSize } from '../core/size.ts';
import { type PruneDocument, pruneJob } from '../jobs/prune.ts';
import type { PlacePrune } from '../operations/prune.ts';
import { defineCommand, flag, many } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const prune = defineCommand({
  description: `Drops the restore points that the retention no longer keeps, and frees their space. In two steps: what goes is marked
first, and removed by a later run, once every host that writes has seen the mark and 3 days have passed. Locked objects stay until
their locks end. Needs no key. Stopped at any moment, the next run goes on.`,
  options: {
    dryRun: flag('say what would go, what stays and why; change nothing'),
    allowLarge: flag('remove more than a fifth of the restore points or bytes at once'),
    allowFlood: flag('go on although more restore points came in than the schedule explains'),
    allowMissing: flag('go on although a record or a list of packs is missing, and write down that it is known'),
    retire: many('<writer>', 'the id or key of a host that will never back up again'),
  },
  async run({ options, job, clock, out }) {
    const { document, answer } = await job(pruneJob, options);
    const text = (report: PruneDocument, style: Style) => reportText(report, clock.now(), style);
    if (options.dryRun) out.answer(document, text);
    else out.done(document, text, answer === 'ok');
    return exitCodes[answer];
  },
});

function reportText(report: PruneDocument, nowMs: number, style: Style): string {
  const { datasets, destinations, outOfReach, suspect, dryRun } = report;
  const moment = (text: string) => formatMoment(Date.parse(text), nowMs);
  const lines = datasets.flatMap(({ dataset, kept, dropped }) => [
    `${style.bold(dataset)}: ${formatCount(kept.length)} kept, ${formatCount(dropped.length)} dropped`,
    ...(dryRun ? kept : []).map(({ time, keptBy, goes }) => {
      const reasons = keptBy.join(', ');
      const isTold = goes === null || reasons.endsWith(`until ${goes.slice(0, 10)}`);
      return `  ${moment(time)}  stays: ${reasons}${isTold ? '' : style.dim(`, until about ${goes.slice(0, 10)}`)}`;
    }),
    ...dropped.map(({ time, id }) => `  ${moment(time)}  ${dryRun ? 'goes' : 'dropped'}  ${style.dim(id)}`),
  ]);
  for (const place of destinations) lines.push(...placeText(place, nowMs, style));
  for (const name of outOfReach) {
    lines.push(`${style.warn('!')} ${style.bold(name)} is out of reach: nothing goes there until it is back`);
  }
  if (dryRun) {
    const objects = countOf(report.freedObjects, 'object');
    lines.push(`In the end this frees ${formatSize(report.freedBytes)} in ${objects}. Nothing was deleted.`);
  }
  for (const { message, hint } of report.brakes) {
    lines.push(`${style.bad('✗')} A prune would be stopped. ${message}`, `  ${hint}`);
  }
  for (const { key, why } of suspect) lines.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  if (suspect.length > 0) lines.push('Nothing may be deleted while that is so. Run: lifeboat verify');
  return lines.join('\n');
}

function placeText(
  { destination, goes, waits, graceUntilMs, writers, locked, swept }: PlacePrune,
  nowMs: number,
  style: Style,
) {
  const name = style.bold(destination);
  const size = (objects: number, bytes: number) => `${countOf(objects, 'object')} (${formatSize(bytes)})`;
  const lines =
    swept === undefined
      ? [`${name}: ${size(goes.objects + goes.records, goes.bytes)} may go now`]
      : [
          `${swept.failed === undefined ? style.good('✓') : style.bad('✗')} ${name}: ${size(swept.objects, swept.bytes)} removed`,
        ];
  if (swept?.failed !== undefined) lines.push(`    ${swept.failed}`);
  if (swept !== undefined && swept.locked.objects > 0) {
    const until = swept.locked.untilMs === undefined ? '' : ` until ${formatMoment(swept.locked.untilMs, nowMs)}`;
    lines.push(`    ${size(swept.locked.objects, swept.locked.bytes)} locked${until}`);
  }
  if (locked?.untilMs !== undefined) {
    const atLeast = locked.isSample ? 'at least ' : '';
    lines.push(
      `    ${atLeast}${countOf(locked.objects, 'object')} of them locked until ${formatMoment(locked.untilMs, nowMs)}`,
    );
  }
  if (waits.objects > 0) {
    const grace = graceUntilMs === undefined ? '' : `, the first not before ${formatMoment(graceUntilMs, nowMs)}`;
    lines.push(`    ${size(waits.objects, waits.bytes)} marked, to be removed by a later prune${grace}`);
    if (writers.length > 0) {
      lines.push(`    waits until these writers have backed up: ${writers.map((id) => id.slice(0, 8)).join(', ')}`);
    }
  }
  return lines;
}
