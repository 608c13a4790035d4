import { formatDuration } from '../core/duration.ts';
import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { evidenceListJob } from '../jobs/evidence.ts';
import type { EvidenceList } from '../operations/drill/evidence.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { firstOf, type Style, table } from './output.ts';

export const evidenceList = defineCommand({
  description: `What proves that backups come back, newest first: every drill with its verdict and every restore, failures too. Needs no
key. 'lifeboat audit' lists everything else.`,
  options: {},
  async run({ job, clock, out }) {
    const { document, answer } = await job(evidenceListJob, {});
    out.answer(document, (document, style) => listText(document, clock.now(), style));
    return exitCodes[answer];
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
