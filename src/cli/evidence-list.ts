import { formatDuration } from '../core/duration.ts';
import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { type EvidenceList, listEvidence } from '../operations/drill/evidence.ts';
import { hearingOf } from '../operations/hearing.ts';
import { defineCommand } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { exitCodes } from './exit.ts';
import { firstOf, type Style, table } from './output.ts';

export const evidenceList = defineCommand({
  description: `What proves that backups come back, newest first: every drill with its verdict and every restore, failures too. Needs no
key. 'lifeboat audit' lists everything else.`,
  options: {},
  async run({ system, clock, out }) {
    const open = await system();
    const vault = await open.vault(noteDamage(out));
    const list = await listEvidence(vault.destinations, await hearingOf(open, vault), open.config.stateDir);
    out.answer(list, (document, style) => listText(document, clock.now(), style));
    return list.troubles.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

const reasons = {
  stranger: 'signed by nobody whose word counts here',
  ahead: 'dated ahead of the clocks',
  shapeless: 'not what Lifeboat writes',
} as const;

function listText({ entries, doubtful, doubtfulCount, troubles }: EvidenceList, nowMs: number, style: Style): string {
  const marks: Readonly<Record<string, (text: string) => string>> = {
    proved: style.good,
    restored: style.good,
    failed: style.bad,
    inconclusive: style.warn,
  };
  const rows = entries.map(({ time, kind, verdict, passed, checks, rtoMs, datasets, id }) => [
    formatMoment(Date.parse(time), nowMs),
    (marks[verdict] ?? style.dim)(verdict || kind),
    `${passed} of ${countOf(checks, kind === 'restore' ? 'dataset' : 'check')}`,
    rtoMs === null ? '' : formatDuration(rtoMs),
    datasets.join(', '),
    style.dim(id),
  ]);
  const lines = rows.length === 0 ? ['There is no evidence: no drill was run yet.'] : [table(rows)];
  if (doubtfulCount > 0) {
    lines.push('', style.warn('Not believed, and no proof of anything:'));
    lines.push(
      table(
        doubtful.map(({ time, kind, id, writer, why }) => [
          `  ${formatMoment(Date.parse(time), nowMs)}`,
          kind,
          id,
          `${reasons[why]} (${writer})`,
        ]),
      ),
    );
    if (doubtfulCount > doubtful.length) lines.push(`  and ${doubtfulCount - doubtful.length} more`);
  }
  return [...lines, ...firstOf(troubles).map((trouble) => style.warn(`! ${trouble}`))].join('\n');
}
