import type { DrillEvidence } from '../core/evidence.ts';
import { type ShownEvidence, showEvidence } from '../operations/drill/evidence.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const evidenceShow = defineCommand({
  words: '[id]',
  description: `One entry of the ledger, the newest by default. With --identity also what is sealed in it: expected and actual values.`,
  options: {},
  async run({ words, common, system, identities, out }) {
    const vault = await (await system()).vault(({ destination, key, why }) =>
      out.note(`! ${destination}: ${key} ${why}`),
    );
    const keys = common.identity.length === 0 ? [] : await identities();
    out.answer(await showEvidence(vault.destinations, words[0] ?? 'latest', keys), shownText);
    return exitCodes.ok;
  },
});

function shownText({ record, details }: ShownEvidence, style: Style): string {
  const lines = [`${style.bold(record.id)}  ${record.kind}  ${record.time}`, `Signed by ${record.writer}`];
  if (record.kind === 'drill') {
    const { outcome, checks } = record.body as unknown as DrillEvidence;
    lines.push(`Verdict: ${outcome.verdict}`);
    for (const check of checks) {
      const detail = details?.checks.find(({ id }) => id === check.id);
      lines.push(`  ${check.verdict}  ${check.id}${detail === undefined ? '' : `: ${detail.message}`}`);
    }
  }
  if (details === null && record.sealed !== null)
    lines.push(style.dim('Values are sealed: pass --identity to see them.'));
  return [...lines, '', JSON.stringify(record.body, null, 2)].join('\n');
}
