import type { StoredEntry } from '../core/entry.ts';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { showPath } from '../core/paths.ts';
import { formatCount, formatSize } from '../core/size.ts';
import { type ListDocument, type ListedPoint, listJob, refuseUnknown } from '../jobs/list.ts';
import { readableVault } from '../jobs/shapes.ts';
import { chooseNewest, tellPassedOver } from '../vault/index.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { leftOutLines } from './left-out-text.ts';
import { type Style, tableWithin } from './output.ts';

export const list = defineCommand({
  words: '[dataset...]',
  description: `The restore points, newest first: when, how large, what was new, where, which rule keeps each, and what which rule left out of the
newest. Needs no key; on a machine that does not back up, what was left out does.
With --files, what one restore point of one dataset holds; that needs a key.`,
  options: {
    files: flag('list what is inside (needs --identity)'),
    at: value('<moment>', 'only restore points at or before it; with --files, the newest of them'),
  },
  async run({ words, options, job, system, identities, clock, run, out }) {
    const moment = parseMoment(options.at ?? 'latest', clock.now());
    const until = moment === 'latest' ? {} : { atMs: moment };
    if (options.files) {
      const open = await system();
      refuseUnknown(open, words);
      if (words.length !== 1)
        throw usageWrong({ what: '--files takes exactly one dataset.', command: 'lifeboat list' });
      const vault = await readableVault(open, run);
      const own = await vault.of(open.config.name).restorePoints();
      const { point, passedOver } = chooseNewest(own, words[0]!, until.atMs);
      tellPassedOver(passedOver, run);
      const contents = await vault.open(point, await identities());
      await out.stream(contents.entries(), entryDocument, entryLine);
      return exitCodes.ok;
    }
    const { document, answer } = await job(listJob, { datasets: words, ...until });
    out.answer(document, (listing, style) => listingText(listing, clock.now(), style, out.columns));
    return exitCodes[answer];
  },
});

function listingText({ datasets, suspect }: ListDocument, nowMs: number, style: Style, columns: number): string {
  const blocks = datasets.map(({ dataset, restorePoints }) => {
    if (restorePoints.length === 0) return `${style.bold(dataset)}\n  no restore point`;
    const rows = restorePoints.map((point) => [
      `  ${formatMoment(Date.parse(point.time), nowMs)}`,
      style.dim(point.id),
      formatSize(point.sizeBytes),
      `+${formatSize(point.addedBytes)}`,
      whereText(point, style),
      keptText(point, style),
      oddText(point, style),
    ]);
    const leftOut = leftOutLines(restorePoints[0]?.leftOut ?? []).map((line) =>
      style.dim(`  – left out of the newest by ${line}`),
    );
    return [style.bold(dataset), tableWithin(rows, columns), ...leftOut].join('\n');
  });
  for (const { key, why } of suspect) blocks.push(`${style.bad('✗')} ${key} cannot be believed: ${why}`);
  return blocks.join('\n\n');
}

function oddText({ problems, doubts, accepted }: ListedPoint, style: Style): string {
  const counts = Object.entries(problems).map(([code, count]) => `${code} ${formatCount(count)}`);
  const doubt = doubts.length === 0 ? [] : [style.bad(`doubtful: ${doubts.join(', ')}`)];
  const meant = accepted === null ? [] : [style.dim(`accepted: ${accepted}`)];
  return [...doubt, ...meant, ...(counts.length === 0 ? [] : [style.warn(counts.join(', '))])].join(' ');
}

function whereText({ destinations, missingAt }: ListedPoint, style: Style): string {
  const held = destinations.join(', ');
  return missingAt.length === 0 ? held : `${held} ${style.warn(`(not yet at ${missingAt.join(', ')})`)}`;
}

function keptText({ keptBy, goes }: ListedPoint, style: Style): string {
  if (keptBy.length === 0) return style.dim('kept by no rule');
  const reasons = keptBy.join(', ');
  const isTold = goes === null || reasons.endsWith(`until ${goes.slice(0, 10)}`);
  return `kept: ${reasons}${isTold ? '' : style.dim(`, until about ${goes.slice(0, 10)}`)}`;
}

function entryDocument(entry: StoredEntry): object {
  return {
    path: showPath(entry.path),
    type: entry.type,
    mode: entry.mode.toString(8),
    modified: isoOf(entry.mtimeNs),
    ...(entry.type === 'file' && { sizeBytes: entry.sizeBytes, sha256: entry.sha256 }),
  };
}

/** Null for a time that ISO 8601 has no four digits for, and Date no number. */
function isoOf(timeNs: bigint): string | null {
  const date = new Date(Number(timeNs / 1_000_000n));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function entryLine(entry: StoredEntry): string {
  const size = entry.type === 'file' ? formatSize(entry.sizeBytes) : entry.type;
  return `${entry.mode.toString(8).padStart(5)}  ${size.padStart(10)}  ${showPath(entry.path)}`;
}
