import { dayMs, formatDuration } from '../core/duration.ts';
import { formatMoment } from '../core/moment.ts';
import { countOf, formatCount } from '../core/size.ts';
import { type KeepDocument, keepJob } from '../jobs/keep.ts';
import { defineCommand, flag } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const keep = defineCommand({
  description: `Makes the locks of everything that restore points need reach as far as they need it, where a destination has locks. Reads
records only: needs no key, and works with the keeper's credentials alone. 'lifeboat backup' does the same where its
credentials permit. Run it at least once in half the time of a lock. Exit code 1 when something that is needed is not locked.`,
  options: {
    dryRun: flag('say how many locks would be extended; change nothing'),
  },
  async run({ options, job, clock, out }) {
    const { document, answer } = await job(keepJob, options);
    const text = (report: KeepDocument, style: Style) => keepText(report, clock.now(), style);
    if (options.dryRun) out.answer(document, text);
    else out.done(document, text, answer === 'ok');
    return exitCodes[answer];
  },
});

function keepText({ dryRun, destinations, without, suspect }: KeepDocument, nowMs: number, style: Style): string {
  const lines = destinations.flatMap((one) => {
    const { destination, objects, extended, missing, unlocked, lockedUntil, failed, requests } = one;
    const good = failed === null && missing + unlocked === 0;
    const until = lockedUntil === null ? 'not everything is locked' : `locked until ${ahead(lockedUntil, nowMs)}`;
    const verb = dryRun ? 'would be extended' : 'extended';
    const asked = Object.entries(requests).map(([name, count]) => `${name} ${formatCount(count)}`);
    return [
      `${good ? style.good('✓') : style.bad('✗')} ${style.bold(destination)}: ${countOf(objects, 'object')}, ${until}; ${countOf(extended, 'lock')} ${verb}`,
      ...(asked.length > 0 ? [`    ${style.dim(`requests: ${asked.join(', ')}`)}`] : []),
      ...(unlocked > 0 ? [`    ${countOf(unlocked, 'object has', 'objects have')} no lock`] : []),
      ...(missing > 0 ? [`    ${countOf(missing, 'object is', 'objects are')} missing. Run: lifeboat verify`] : []),
      ...(failed === null ? [] : [`    ${failed}`]),
    ];
  });
  for (const { destination, why } of without) lines.push(`${style.dim('–')} ${style.bold(destination)}: ${why}`);
  for (const { key, why } of suspect) lines.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  return lines.join('\n');
}

function ahead(time: string, nowMs: number): string {
  const untilMs = Date.parse(time);
  const days = formatDuration(Math.max(0, Math.floor((untilMs - nowMs) / dayMs) * dayMs));
  return `${formatMoment(untilMs, nowMs)} (${days})`;
}
