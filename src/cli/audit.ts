import { formatMoment, parseMoment } from '../core/moment.ts';
import { type AuditDocument, auditJob, newestEntries } from '../jobs/audit.ts';
import { inWords } from '../ledger/words.ts';
import { type LedgerKind, ledgerKinds } from '../operations/note-in-ledger.ts';
import { defineCommand, many, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { firstOf, type Style, table } from './output.ts';

export const audit = defineCommand({
  description: `What happened to the vault, newest first: backups, restores, deletions, uses of keys, changes of the configuration. Each entry
is signed by the host that did it and names the one before it. Needs no key; with --identity also who did it, on which host.
Without --since the newest ${newestEntries}. Exit code 1 when an entry is damaged.`,
  options: {
    since: value('<moment>', 'nothing older: "30 days ago", 2026-11-01T00:00:00Z'),
    kind: many('<kind>', `only these: ${ledgerKinds.join(', ')}`),
  },
  async run({ options, job, clock, out }) {
    const kinds = options.kind.map(kindOf);
    const since = options.since === undefined ? 'latest' : parseMoment(options.since, clock.now());
    const { document, answer } = await job(auditJob, { kinds, ...(since !== 'latest' && { sinceMs: since }) });
    out.answer(document, (document, style) => auditText(document, clock.now(), style));
    return exitCodes[answer];
  },
});

function kindOf(text: string): LedgerKind {
  const kind = ledgerKinds.find((one) => one === text);
  if (kind !== undefined) return kind;
  const what = `There is no kind '${text}'. There are: ${ledgerKinds.join(', ')}.`;
  throw usageWrong({ what, command: 'lifeboat audit' });
}

function auditText({ entries, more, troubles, here }: AuditDocument, nowMs: number, style: Style): string {
  const rows = entries.map(({ time, kind, body, who, writer, known }) => [
    formatMoment(Date.parse(time), nowMs),
    known ? style.bold(kind) : style.warn(`? ${kind}`),
    style.dim(
      who === null
        ? writer === here
          ? 'this host'
          : `${known ? 'writer' : 'UNKNOWN'} ${writer.slice(0, 8)}`
        : `${who.user}@${who.host}`,
    ),
    inWords(kind, body),
  ]);
  const lines = rows.length === 0 ? ['Nothing is noted.'] : [table(rows)];
  if (more) lines.push(style.dim(`The newest ${newestEntries}; --since shows older ones.`));
  return [...lines, ...firstOf(troubles).map((trouble) => style.warn(`! ${trouble}`))].join('\n');
}
