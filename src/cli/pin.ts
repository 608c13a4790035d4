import { formatMoment, parseMoment } from '../core/moment.ts';
import { pin as pinPoint } from '../operations/pins.ts';
import { defineCommand, value } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';

interface PinReport {
  readonly point: string;
  readonly reason: string;
  readonly until: string | null;
}

export const pin = defineCommand({
  words: '<point>',
  description: `Keeps a restore point whatever the retention says, for every host that uses the vault. 'lifeboat list --json' shows the
ids. The reason stands in the vault in clear, so write no secret into it.`,
  options: {
    reason: value('<text>', 'why it is kept; required'),
    until: value('<moment>', 'when the pin ends: 2027-01-31T00:00Z; without it, when it is taken away'),
  },
  async run({ words, options, system, clock, run, out }) {
    const [point = ''] = words;
    const { reason, until } = options;
    if (reason === undefined || reason.trim() === '' || reason.length > 500) {
      throw usageWrong({ what: 'A pin needs a --reason of at most 500 letters.', command: 'lifeboat pin' });
    }
    const moment = until === undefined ? undefined : parseMoment(until, clock.now());
    if (moment === 'latest' || (moment !== undefined && moment <= clock.now())) {
      throw usageWrong({ what: `--until ${until} is no moment to come.`, command: 'lifeboat pin' });
    }
    const open = await system();
    const vault = await open.vault(noteDamage(out));
    await pinPoint(open, vault, { point, reason, ...(moment !== undefined && { untilMs: moment }) }, run);
    const report: PinReport = { point, reason, until: moment === undefined ? null : new Date(moment).toISOString() };
    out.done(
      report,
      ({ until }, style) => {
        const end = until === null ? "until 'lifeboat unpin'" : `until ${formatMoment(Date.parse(until), clock.now())}`;
        return `${style.good('✓')} ${point} stays ${end}: ${reason}`;
      },
      true,
    );
    return exitCodes.ok;
  },
});
