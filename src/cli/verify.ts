import { formatMoment } from '../core/moment.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type VerifyDocument, verifyJob } from '../jobs/verify.ts';
import { partInvalid } from '../operations/errors.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const verify = defineCommand({
  description: `Compares every destination with what the signed records say, reads a part of the data and heals from sound copies.
Without --all or --part it reads the next part in turn, so that seven runs have read everything. With --identity what is read
is also decrypted, and each chunk compared with its id: a pack that was stored wrong is never used again by backups of hosts that
know this one. --deep reads everything and every file in it. Exit code 1 when something is damaged and could not be healed.`,
  options: {
    all: flag('read everything'),
    deep: flag('with --identity: read everything, and compare each file'),
    part: value('<n/m>', 'read part n of m', parsePart),
  },
  async run({ options, job, clock, out }) {
    const { deep, part } = options;
    const all = options.all || deep;
    if (all && part) {
      const what = `--${deep ? 'deep' : 'all'} and --part exclude each other.`;
      throw usageWrong({ what, command: 'lifeboat verify' });
    }
    const { document, answer } = await job(verifyJob, { all, deep, ...(part && { part }) });
    out.done(document, (report, style) => verifyText(report, clock.now(), style), answer === 'ok');
    return exitCodes[answer];
  },
});

function parsePart(text: string): { part: number; parts: number } {
  const found = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(text);
  const [part, parts] = [Number(found?.[1]), Number(found?.[2])];
  if (!(part <= parts)) throw partInvalid({ text });
  return { part, parts };
}

export function verifyText(report: VerifyDocument, nowMs: number, style: Style): string {
  const { sound, part, objects, objectsRead, bytesRead } = report;
  const { findings, wrong, spoiled, suspect, doubtful, unreachable } = report;
  const read = part === 'all' ? 'everything' : `part ${part.part} of ${part.parts}`;
  const what = `${countOf(objects, 'object')} compared, ${read} read (${countOf(objectsRead, 'object')}, ${formatSize(bytesRead)})`;
  const lines = [sound ? `${style.good('✓')} Sound: ${what}.` : `${style.bad('✗')} Not sound: ${what}.`];
  if (report.objectsClosed > 0) {
    const closed = countOf(report.objectsClosed, 'object is', 'objects are');
    lines.push(
      style.dim(`  ${closed} sealed to other keys than the one given: their bytes are right, inside nobody looked.`),
    );
  }
  if (report.leaving > 0) {
    const points = countOf(report.leaving, 'restore point is', 'restore points are');
    lines.push(style.dim(`  ${points} on the way out by a prune: what only they need was not looked for.`));
  }
  for (const { destination, key, kind, why, healed, restorePoints } of findings) {
    const mark = healed ? style.warn('!') : style.bad('✗');
    lines.push(`${mark} ${destination}: ${key} is ${kind}: ${why}${healed ? ' Healed from a sound copy.' : ''}`);
    if (restorePoints.length > 0 && !healed)
      lines.push(`    cannot be restored from there: ${namesOf(restorePoints, nowMs)}`);
  }
  if (findings.some(({ healed, restorePoints }) => !healed && restorePoints.length > 0)) {
    lines.push(
      "  No copy was found to heal it from. Make every destination reachable and verify again; 'lifeboat backup' stores again what this host still has.",
    );
  }
  for (const { message, code, hint, restorePoints } of wrong) {
    lines.push(`${style.bad('✗')} ${message} [${code}]`);
    if (restorePoints.length > 0) lines.push(`    needed by: ${namesOf(restorePoints, nowMs)}`);
    lines.push(`    ${hint}`);
  }
  for (const { message, code, hint } of spoiled) lines.push(`${style.bad('✗')} ${message} [${code}]`, `    ${hint}`);
  for (const { key, why } of suspect) lines.push(`${style.bad('✗')} ${key}: ${why}`);
  // A host that lost its state folder has signed hundreds: one line tells it.
  for (const [why, some] of Map.groupBy(doubtful, ({ why }) => why)) {
    const [first, ...others] = some.map(({ key }) => key);
    if (others.length === 0) lines.push(`${style.warn('!')} ${first} is doubtful: ${why}.`);
    else
      lines.push(
        `${style.warn('!')} ${some.length} objects are doubtful, all alike: ${why}.`,
        `    ${first}, and ${others.length} more`,
      );
  }
  for (const { destination, why } of unreachable)
    lines.push(`${style.bad('✗')} ${destination} was not looked at: ${why}`);
  return lines.join('\n');
}

function namesOf(points: VerifyDocument['findings'][number]['restorePoints'], nowMs: number): string {
  const some = points.slice(0, 5).map(({ dataset, time }) => `${dataset} ${formatMoment(Date.parse(time), nowMs)}`);
  const more = points.length - some.length;
  return `${some.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
