import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { eraseJob } from '../jobs/erase.ts';
import { defineCommand, many, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';

export const erase = defineCommand({
  description: `Removes restore points before their time, because somebody has a right to it: those that hold a path (needs
--identity, as names are sealed), or those that you name. Take the data out at its source and back up first. The restore points go
by the next prunes: marked, after 3 days, once no lock holds them. The ledger keeps how many went, and under seal why.`,
  options: {
    dataset: value('<name>', 'the dataset; required'),
    path: many('<path>', 'every restore point that holds this path, or anything below it'),
    point: many('<id>', 'this restore point'),
    reason: value('<text>', 'why; required, sealed to the keys of the vault'),
  },
  async run({ options, job, clock, out }) {
    const { dataset, path: paths, point: points, reason } = options;
    if (dataset === undefined || reason === undefined || reason.trim() === '' || paths.length + points.length === 0) {
      const what = 'An erasure needs --dataset, --reason, and --path or --point.';
      throw usageWrong({ what, command: 'lifeboat erase' });
    }
    const { document } = await job(eraseJob, { dataset, paths, points, reason });
    out.done(document, ({ restorePoints }, style) =>
      [
        `${style.good('✓')} ${countOf(restorePoints.length, 'restore point')} of ${dataset} will be removed`,
        ...restorePoints.map(({ id, time }) => `  ${formatMoment(Date.parse(time), clock.now())}  ${style.dim(id)}`),
        "Run 'lifeboat prune' now and again in 3 days; it says what locks still hold, and until when.",
        'Until then a restore can still take one of them: name another by --at.',
        "Another machine that prunes heeds this only if its vault.pruners names this one's key.",
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
