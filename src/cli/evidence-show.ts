import { leftOutWords } from '../core/left-out.ts';
import { evidenceShowJob } from '../jobs/evidence.ts';
import { drillBodyOf } from '../ledger/evidence-shape.ts';
import type { ShownEvidence } from '../operations/drill/evidence.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const evidenceShow = defineCommand({
  words: '[id]',
  description: `One entry of the ledger, the newest by default. With --identity also what is sealed in it: expected and actual values.`,
  options: {},
  async run({ words, job, out }) {
    const { document } = await job(evidenceShowJob, { id: words[0] ?? 'latest' });
    out.answer(document, shownText);
    return exitCodes.ok;
  },
});

const doubts = {
  believed: undefined,
  stranger: 'NOT BELIEVED: nobody whose word counts here signed it. It proves nothing.',
  ahead: 'NOT BELIEVED: it is dated ahead of the clocks. It proves nothing.',
} as const;

function shownText({ record, standing, details }: ShownEvidence, style: Style): string {
  const lines = [`${style.bold(record.id)}  ${record.kind}  ${record.time}`, `Signed by ${record.writer}`];
  const doubt = doubts[standing];
  if (doubt !== undefined) lines.unshift(style.bad(doubt));
  const drill = record.kind === 'drill' ? drillBodyOf(record.body) : undefined;
  if (drill !== undefined) {
    const { outcome, checks } = drill;
    lines.push(`Verdict: ${outcome.verdict}`);
    for (const check of checks) {
      const detail = details?.checks.find(({ id }) => id === check.id);
      lines.push(`  ${check.verdict}  ${check.id}${detail === undefined ? '' : `: ${detail.message}`}`);
    }
  }
  for (const { dataset, rules } of details?.leftOut ?? []) {
    for (const rule of rules) lines.push(`  ${dataset} is backed up without what is left out by ${leftOutWords(rule)}`);
  }
  if (details === null && record.sealed !== null)
    lines.push(style.dim('Values are sealed: pass --identity to see them.'));
  return [...lines, '', JSON.stringify(record.body, null, 2)].join('\n');
}
