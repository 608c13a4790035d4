import { formatMoment, parseMoment } from '../core/moment.ts';
import { inState } from '../host/state-names.ts';
import { inWords } from '../ledger/words.ts';
import { type AuditLog, readAuditLog } from '../operations/audit/audit-log.ts';
import { ledgerKinds } from '../operations/note-in-ledger.ts';
import { publicKeyIn } from '../vault/writer/index.ts';
import { defineCommand, many, value } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { firstOf, type Style, table } from './output.ts';

/** What is listed when no moment is given. */
const newest = 100;

interface AuditReport extends AuditLog {
  /** The public key that this host signs with; null when it has none. */
  readonly here: string | null;
}

export const audit = defineCommand({
  description: `What happened to the vault, newest first: backups, restores, deletions, uses of keys, changes of the configuration. Each entry
is signed by the host that did it and names the one before it. Needs no key; with --identity also who did it, on which host.
Without --since the newest ${newest}. Exit code 1 when an entry is damaged.`,
  options: {
    since: value('<moment>', 'nothing older: "30 days ago", 2026-11-01T00:00:00Z'),
    kind: many('<kind>', `only these: ${ledgerKinds.join(', ')}`),
  },
  async run({ options, common, system, identities, clock, out }) {
    for (const kind of options.kind) {
      if ((ledgerKinds as readonly string[]).includes(kind)) continue;
      const what = `There is no kind '${kind}'. There are: ${ledgerKinds.join(', ')}.`;
      throw usageWrong({ what, command: 'lifeboat audit' });
    }
    const since = options.since === undefined ? 'latest' : parseMoment(options.since, clock.now());
    const open = await system();
    const vault = await open.vault(noteDamage(out));
    const { stateDir } = open.config;
    const log = await readAuditLog({
      destinations: vault.destinations,
      stateDir,
      trust: vault.trust,
      kinds: options.kind,
      most: newest,
      identities: common.identity.length === 0 ? [] : await identities(),
      ...(since !== 'latest' && { sinceMs: since }),
    });
    const here = publicKeyIn(inState(stateDir, 'writerKeys'), vault.id) ?? null;
    out.answer<AuditReport>({ ...log, here }, (document, style) => auditText(document, clock.now(), style));
    return log.troubles.length === 0 ? exitCodes.ok : exitCodes.no;
  },
});

function auditText({ entries, more, troubles, here }: AuditReport, nowMs: number, style: Style): string {
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
  if (more) lines.push(style.dim(`The newest ${newest}; --since shows older ones.`));
  return [...lines, ...firstOf(troubles).map((trouble) => style.warn(`! ${trouble}`))].join('\n');
}
