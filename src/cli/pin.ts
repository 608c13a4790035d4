import { formatMoment } from '../core/moment.ts';
import { pinJob } from '../jobs/pins.ts';
import { defineCommand, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { momentToCome } from './moment-to-come.ts';

const command = 'lifeboat pin';

export const pin = defineCommand({
  words: '<point>',
  description: `Keeps a restore point whatever the retention says, for every host that uses the vault. 'lifeboat list --json' shows the
ids. The reason stands in the vault in clear, so write no secret into it.`,
  options: {
    reason: value('<text>', 'why it is kept; required'),
    until: value('<moment>', 'when the pin ends: 2027-01-31T00:00Z; without it, when it is taken away'),
  },
  async run({ words, options, job, clock, out }) {
    const [point = ''] = words;
    const { reason, until } = options;
    if (reason === undefined || reason.trim() === '' || reason.length > 500) {
      throw usageWrong({ what: 'A pin needs a --reason of at most 500 letters.', command });
    }
    const untilMs = momentToCome(until, clock.now(), command);
    const { document } = await job(pinJob, { point, reason, ...(untilMs !== undefined && { untilMs }) });
    out.done(document, ({ until }, style) => {
      const end = until === null ? "until 'lifeboat unpin'" : `until ${formatMoment(Date.parse(until), clock.now())}`;
      return `${style.good('✓')} ${point} stays ${end}: ${reason}`;
    });
    return exitCodes.ok;
  },
});
