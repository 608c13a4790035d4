import { countOf } from '../core/size.ts';
import { type VerifiedEvidence, verifyEvidence } from '../operations/drill/evidence.ts';
import { defineCommand, many } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const evidenceVerify = defineCommand({
  description: `Checks every signature of the ledger and that no entry is missing from a writer's chain. Needs no key and nothing but a
destination.`,
  options: { writer: many('<public key>', 'a writer that is expected; entries by any other are named') },
  async run({ options, system, out }) {
    const vault = await (await system()).vault(({ destination, key, why }) =>
      out.note(`! ${destination}: ${key} ${why}`),
    );
    const trust = { vault: vault.id, ...(options.writer.length > 0 && { writers: options.writer }) };
    const verified = await verifyEvidence(vault.destinations, trust);
    out.answer(verified, verifiedText);
    return verified.ok ? exitCodes.ok : exitCodes.no;
  },
});

function verifiedText({ ok, entries, writers, problems, troubles }: VerifiedEvidence, style: Style): string {
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
