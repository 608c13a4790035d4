import { countOf, formatCount } from '../core/size.ts';
import type { VerifiedLedger } from '../ledger/verify.ts';
import { firstOf, type Style } from './output.ts';

const mostStrangers = 10;

export function ledgerVerdict(
  { ok, entries, writers, strangers, problems, troubles, under }: VerifiedLedger,
  style: Style,
): string {
  const signed = (one: VerifiedLedger['writers'][number]) =>
    `${countOf(one.entries, 'entry', 'entries')} by ${one.writer}, the newest ${one.newest}`;
  const lines = writers.map(signed);
  for (const { writer, through, gone, time, by } of under) {
    const what = `Of the first ${formatCount(through)} by ${writer}, ${formatCount(gone)} are not there any more`;
    lines.push(`${what}: they are under the checkpoint of ${time.slice(0, 10)}, signed by ${by}.`);
  }
  const some = strangers.slice(0, mostStrangers);
  if (some.length > 0)
    lines.push(
      style.warn('Signed by nobody who is known, and no part of it:'),
      ...some.map((one) => `  ${signed(one)}`),
    );
  if (strangers.length > some.length) lines.push(`  and by ${strangers.length - some.length} more`);
  for (const message of firstOf(problems.map((problem) => problem.message))) lines.push(style.bad(`✗ ${message}`));
  for (const trouble of firstOf(troubles)) lines.push(style.warn(`! ${trouble}`));
  const all = countOf(entries, 'entry', 'entries');
  return [ok ? style.good(`The ledger holds: ${all}.`) : style.bad(`The ledger does not hold: ${all}.`), ...lines].join(
    '\n',
  );
}
