import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { erase as erasePoints } from '../operations/erase.ts';
import { noSuchDataset } from '../operations/errors.ts';
import { defineCommand, many, value } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';

interface EraseReport {
  readonly dataset: string;
  readonly restorePoints: ReadonlyArray<{ readonly id: string; readonly time: string }>;
}

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
  async run({ options, system, identities, clock, run, out }) {
    const { dataset, path: paths, point: points, reason } = options;
    if (dataset === undefined || reason === undefined || reason.trim() === '' || paths.length + points.length === 0) {
      const what = 'An erasure needs --dataset, --reason, and --path or --point.';
      throw usageWrong({ what, command: 'lifeboat erase' });
    }
    const open = await system();
    const known = Object.keys(open.config.datasets);
    if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
    const vault = await open.vault(noteDamage(out));
    const keys = paths.length > 0 ? await identities() : [];
    const erased = await erasePoints(open, vault, { dataset, paths, points, reason, identities: keys }, run);
    const report: EraseReport = {
      dataset,
      restorePoints: erased.points.map(({ record }) => ({ id: record.id, time: record.time })),
    };
    out.done(
      report,
      ({ restorePoints }, style) =>
        [
          `${style.good('✓')} ${countOf(restorePoints.length, 'restore point')} of ${dataset} will be removed`,
          ...restorePoints.map(({ id, time }) => `  ${formatMoment(Date.parse(time), clock.now())}  ${style.dim(id)}`),
          "Run 'lifeboat prune' now and again in 3 days; it says what locks still hold, and until when.",
          'Until then a restore can still take one of them: name another by --at.',
          "Another machine that prunes heeds this only if its vault.pruners names this one's key.",
        ].join('\n'),
      true,
    );
    return exitCodes.ok;
  },
});
