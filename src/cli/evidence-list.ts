import { formatDuration } from '../core/duration.ts';
import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { type EvidenceList, listEvidence } from '../operations/drill/evidence.ts';
import { defineCommand } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { exitCodes } from './exit.ts';
import { type Style, table } from './output.ts';

export const evidenceList = defineCommand({
  description: `What proves that backups come back, newest first: every drill with its verdict and every restore, failures too. Needs no
key. 'lifeboat audit' lists everything else.`,
  options: {},
  async run({ system, clock, out }) {
    const open = await system();
    const vault = await open.vault(noteDamage(out));
    const list = await listEvidence(vault.destinations, open.config.stateDir);
    out.answer(list, (document, style) => listText(document, clock.now(), style));
    return list.troubles.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

function listText({ entries, troubles }: EvidenceList, nowMs: number, style: Style): string {
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
  return [...lines, ...troubles.map((trouble) => style.warn(`! ${trouble}`))].join('\n');
}
