import { countOf } from '../core/size.ts';
import type { VerifiedLedger } from '../operations/ledger/verify.ts';
import type { Style } from './output.ts';

export function ledgerVerdict({ ok, entries, writers, problems, troubles }: VerifiedLedger, style: Style): string {
  const lines = writers.map(
    ({ writer, entries: signed, newest }) =>
      `${countOf(signed, 'entry', 'entries')} by ${writer}, the newest ${newest}`,
  );
  for (const { message } of problems) lines.push(style.bad(`✗ ${message}`));
  for (const trouble of troubles) lines.push(style.warn(`! ${trouble}`));
  const all = countOf(entries, 'entry', 'entries');
  return [ok ? style.good(`The ledger holds: ${all}.`) : style.bad(`The ledger does not hold: ${all}.`), ...lines].join(
    '\n',
  );
}
