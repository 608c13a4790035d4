import { formatDuration } from '../core/duration.ts';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { entryNotRestored } from '../core/not-as-it-was.ts';
import { countOf, formatSize } from '../core/size.ts';
import { isUlid, ulidTime } from '../core/ulid.ts';
import { type RestoreDocument, restoreJob } from '../jobs/restore.ts';
import { defineCommand, flag, many, value } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';
import { requestLines } from './request-text.ts';

export const restore = defineCommand({
  words: '<dataset> [only...]',
  description: `Brings a dataset back, to where it came from or elsewhere. After the dataset, name paths (files) or tables
(databases) to bring back only those. What is at the target stays until the restore is whole; without --force a target that
is not empty is refused. Needs --identity.

  lifeboat restore uploads --into /tmp/look --identity daily.txt
  lifeboat restore app-db --at "2 hours ago" --force --identity daily.txt`,
  options: {
    at: value('<moment>', "the newest restore point at or before it, or a restore point's id (default: latest)"),
    into: value('<target>', 'a path, or the URL of a database (default: where it came from)'),
    force: flag('replace what is at the target'),
    trustCode: flag('let code that the backup of a database defines run with all rights of the URL'),
    numericOwners: flag('give files to the recorded numbers of users and groups, whatever their names are here'),
    acceptWriter: many('<key>', 'believe restore points that this public key signed, for this restore'),
  },
  async run({ words, options, job, clock, out }) {
    const [dataset = '', ...only] = words;
    const { at, into, force, trustCode, numericOwners, acceptWriter: acceptWriters } = options;
    const { document, answer } = await job(restoreJob, {
      ...{ dataset, only, force, trustCode, numericOwners, acceptWriters },
      ...pointOf(at ?? 'latest', clock.now()),
      ...(into !== undefined && { into }),
    });
    out.done(document, (report, style) => restoreText(report, clock.now(), style));
    return exitCodes[answer];
  },
});

function pointOf(text: string, nowMs: number): { id: string } | { atMs: number } | object {
  if (isUlid(text) && ulidTime(text) >= 0) return { id: text };
  const moment = parseMoment(text, nowMs);
  return moment === 'latest' ? {} : { atMs: moment };
}

function restoreText(report: RestoreDocument, nowMs: number, style: Style): string {
  const { dataset, time, where, files, bytes, problems, damage, elapsedMs } = report;
  const what = files > 0 ? `${countOf(files, 'file')}, ${formatSize(bytes)}` : formatSize(bytes);
  const missing = problems.some(({ code }) => code === entryNotRestored);
  const [sign, how] = missing ? [style.warn('!'), ', but for what is named below'] : [style.good('✓'), ''];
  return [
    `${sign} ${style.bold(dataset)} as of ${formatMoment(Date.parse(time), nowMs)} is back at ${where}: ${what} in ${formatDuration(elapsedMs)}${how}.`,
    ...problems.map(({ message }) => `${style.warn('!')} ${message}`),
    ...damage.map(
      ({ destination, key, why }) =>
        `${style.warn('!')} ${destination}${key === '' ? '' : `: ${key}`} could not be used: ${why} Another copy served.`,
    ),
    ...requestLines(report.requests, style),
  ].join('\n');
}
