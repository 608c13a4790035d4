import { lossWords } from '../core/anomalies.ts';
import { formatMoment } from '../core/moment.ts';
import { acceptJob, withdrawJob } from '../jobs/accept.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { momentToCome } from './moment-to-come.ts';

const command = 'lifeboat accept';

export const accept = defineCommand({
  words: '<dataset>',
  description: `Says that a loss of data was meant: what the newest restore point holds is right, and later ones are held against it. A further
loss fails again. A machine that takes no backups needs --identity to know how many rows are gone. The reason stands in the vault in clear, so write no secret into it.`,
  options: {
    reason: value('<text>', 'why it is right; required'),
    point: value('<id>', 'the restore point that was looked at; the newest by default'),
    until: value('<moment>', 'when this ends: 2027-01-31T00:00Z; without it, when it is withdrawn'),
    withdraw: flag('end what was accepted instead'),
  },
  async run({ words, options, job, clock, out }) {
    const [dataset = ''] = words;
    const { reason, point, until, withdraw } = options;
    const chosen = point === undefined ? {} : { point };
    if (withdraw) {
      if (reason !== undefined || until !== undefined) {
        throw usageWrong({ what: '--withdraw takes neither --reason nor --until.', command });
      }
      const { document } = await job(withdrawJob, { dataset, ...chosen });
      out.done(document, ({ withdrawn }, style) => {
        const reasons = withdrawn.map(({ reason }) => reason).join('; ');
        return `${style.good('✓')} ${dataset}: what was accepted is withdrawn (${reasons})`;
      });
      return exitCodes.ok;
    }
    if (reason === undefined || reason.trim() === '' || reason.length > 500) {
      throw usageWrong({ what: 'It needs a --reason of at most 500 letters.', command });
    }
    const untilMs = momentToCome(until, clock.now(), command);
    const ending = untilMs === undefined ? {} : { untilMs };
    const { document } = await job(acceptJob, { dataset, reason, ...chosen, ...ending });
    out.done(document, ({ losses, fullest, point }, style) => {
      const end = untilMs === undefined ? '' : ` until ${formatMoment(untilMs, clock.now())}`;
      return [
        `${style.good('✓')} ${dataset}: accepted${end}. ${lossWords({ losses, emptied: false })}.`,
        `Restore point ${fullest} still holds it. The next drill is held against ${point}.`,
      ].join('\n');
    });
    return exitCodes.ok;
  },
});
