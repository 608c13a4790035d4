import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import type { Offer } from '../operations/bootstrap/bootstrap.ts';
import { useLines } from './consent.ts';
import type { Style } from './output.ts';

const mostChanged = 60;
const mostStrangers = 10;

/** All that a person must know before they say yes to a configuration that came out of a vault. */
export function offerLines(offer: Offer, nowMs: number, style: Style): string[] {
  const { system, time, believed, strangers, uses } = offer;
  const at = (moment: string) => formatMoment(Date.parse(moment), nowMs);
  const lines = [style.bold(`The configuration of ${system} as of ${at(time)}`)];
  for (const { key, because } of believed.slice(0, mostStrangers)) lines.push(`  by ${key}, ${because}`);
  for (const { key, restorePoints, until } of strangers.slice(0, mostStrangers)) {
    const until_ = `${countOf(restorePoints, 'restore point')}, the last of ${at(until)}`;
    lines.push(`${style.warn('!')} not believed: ${key}, ${until_}. If you know it: --accept-writer`);
  }
  if (strangers.length > mostStrangers)
    lines.push(`  and ${strangers.length - mostStrangers} more that are not believed`);
  return [...lines, ...changeLines(offer, at, style), '', ...useLines(uses), ...placeLines(offer, style)];
}

function changeLines({ changes, earlier }: Offer, at: (moment: string) => string, style: Style): string[] {
  if (changes === undefined) return ['  There is no earlier copy of it.'];
  const lines = [`  In force since then. Before it, of ${at(changes.before)}:`];
  for (const { sign, line } of changes.lines.slice(0, mostChanged)) {
    lines.push(`    ${sign === '+' ? style.good(`+ ${line}`) : style.bad(`- ${line}`)}`);
  }
  const more = changes.lines.length - mostChanged;
  if (more > 0) lines.push(style.warn(`    and ${countOf(more, 'more line')}: read the file itself`));
  for (const { path, how } of changes.files)
    lines.push(`    ${path} ${how === 'changed' ? 'was changed' : `is ${how}`}`);
  if (changes.lines.length + changes.files.length === 0) lines.push('    the same');
  if (earlier.length > 1) lines.push(`  Earlier copies, for --at: ${earlier.map(at).join(', ')}`);
  return lines;
}

function placeLines({ places }: Offer, style: Style): string[] {
  const rights = (mode: number) => mode.toString(8).padStart(4, '0');
  return [
    'Files that are written:',
    ...places.map(({ path, mode, owner, expected, why }) => {
      const who = owner === undefined ? '' : `, owner ${owner.uid}:${owner.gid}`;
      const instead = why === undefined ? '' : style.warn(` instead of ${expected}: ${why}`);
      return `  ${path} (${rights(mode)}${who})${instead}`;
    }),
  ];
}
