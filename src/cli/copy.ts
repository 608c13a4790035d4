import { countOf, formatCount, formatSize } from '../core/size.ts';
import { type CopyDocument, copyJob } from '../jobs/copy.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { type Style, table } from './output.ts';
import { requestText } from './request-text.ts';

export const copy = defineCommand({
  description: `Brings destinations up to date from one another, without a backup: what one holds and another lacks is copied,
looked at on the way and confirmed where it arrives. Needs no key. Interrupted, it goes on where it was when it is run again.
Exit code 1 when a destination is not up to date afterwards.`,
  options: {
    from: value('<destination>', 'copy from this one only'),
    to: value('<destination>', 'bring this one up to date only'),
    refill: flag('fill a destination anew whose vault is known to be gone'),
  },
  async run({ options: { from, to, refill }, job, out }) {
    if (from !== undefined && from === to) {
      throw usageWrong({ what: `--from and --to both name ${from}.`, command: 'lifeboat copy' });
    }
    const request = { refill, ...(from !== undefined && { from }), ...(to !== undefined && { to: [to] }) };
    const { document, answer } = await job(copyJob, request);
    out.done(document, copyText, answer === 'ok');
    return exitCodes[answer];
  },
});

function copyText({ filled, read }: CopyDocument, style: Style): string {
  const lines = filled.map((one) => line(one, style));
  for (const { refused, destination } of filled) {
    const shown = refused.slice(0, 10).map(({ key, why }) => `    ${key}: ${why}`);
    const more = refused.length - shown.length;
    if (shown.length === 0) continue;
    lines.push(`${style.bad('✗')} not copied to ${destination}:`, ...shown);
    lines.push(...(more > 0 ? [`    and ${formatCount(more)} more`] : []));
    lines.push(`    ${style.dim('run:')} lifeboat verify --all`);
  }
  const asked = [
    ...read.map(({ destination, requests }) => [`  ${destination}`, 'read', requestText(requests)]),
    ...filled.map(({ destination, requests }) => [`  ${destination}`, 'filled', requestText(requests)]),
  ].filter(([, , requests]) => requests !== '');
  if (asked.length > 0) lines.push('', style.dim('requests'), style.dim(table(asked)));
  return lines.join('\n');
}

function line({ destination, objects, bytes, records, behind }: CopyDocument['filled'][number], style: Style): string {
  const what = `${countOf(objects, 'object')} copied (${formatSize(bytes)}), ${countOf(records, 'restore point')} of it`;
  if (behind !== null) return `${style.bad('✗')} ${style.bold(destination)} is not up to date: ${behind}`;
  if (objects === 0) return `${style.good('✓')} ${style.bold(destination)} was up to date`;
  return `${style.good('✓')} ${style.bold(destination)} is up to date: ${what}`;
}
