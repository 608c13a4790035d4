import { lossWords } from '../core/anomalies.ts';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { acceptLoss, withdrawAcceptance } from '../operations/anomalies/accept.ts';
import { defineCommand, flag, value } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';

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
  async run({ words, options, common, system, identities, clock, run, out }) {
    const [dataset = ''] = words;
    const { reason, point, until, withdraw } = options;
    const chosen = point === undefined ? {} : { point };
    if (withdraw) {
      if (reason !== undefined || until !== undefined) {
        throw usageWrong({ what: '--withdraw takes neither --reason nor --until.', command });
      }
      const open = await system();
      const ended = await withdrawAcceptance(open, await open.vault(noteDamage(out)), { dataset, ...chosen }, run);
      out.done(
        { dataset, withdrawn: ended },
        (_, style) =>
          `${style.good('✓')} ${dataset}: what was accepted is withdrawn (${ended.map(({ reason }) => reason).join('; ')})`,
        true,
      );
      return exitCodes.ok;
    }
    if (reason === undefined || reason.trim() === '' || reason.length > 500) {
      throw usageWrong({ what: 'It needs a --reason of at most 500 letters.', command });
    }
    const moment = until === undefined ? undefined : parseMoment(until, clock.now());
    if (moment === 'latest' || (moment !== undefined && moment <= clock.now())) {
      throw usageWrong({ what: `--until ${until} is no moment to come.`, command });
    }
    const open = await system();
    const ending = moment === undefined ? {} : { untilMs: moment };
    const given = common.identity.length > 0 ? await identities() : [];
    const request = { dataset, reason, ...chosen, ...ending, identities: given };
    const { losses, ...accepted } = await acceptLoss(open, await open.vault(noteDamage(out)), request, run);
    const report = {
      dataset,
      reason,
      until: moment === undefined ? null : new Date(moment).toISOString(),
      ...accepted,
      losses,
    };
    out.done(
      report,
      (_, style) => {
        const end = moment === undefined ? '' : ` until ${formatMoment(moment, clock.now())}`;
        return [
          `${style.good('✓')} ${dataset}: accepted${end}. ${lossWords({ losses, emptied: false })}.`,
          `Restore point ${accepted.fullest} still holds it. The next drill is held against ${accepted.point}.`,
        ].join('\n');
      },
      true,
    );
    return exitCodes.ok;
  },
});
