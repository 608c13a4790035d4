import { countOf } from '../core/size.ts';
import { gcJob } from '../jobs/gc.ts';
import { defineCommand, flag } from './command.ts';
import { exitCodes } from './exit.ts';

export const gc = defineCommand({
  description: `Touches only what a drill registered, and only when its process is gone. Backups are not touched.
Exit code 1 when something had to be left alone.`,
  options: { dryRun: flag('say what would be removed') },
  async run({ options, job, out }) {
    const { dryRun } = options;
    const { document, answer } = await job(gcJob, { dryRun });
    out.done(document, ({ removed, running, left }, style) =>
      [
        `${countOf(removed.length, 'sandbox', 'sandboxes')} ${dryRun ? 'would be removed' : 'removed'}${removed.length > 0 ? `: ${removed.join(', ')}` : ''}.`,
        ...running.map((id) => `Drill ${id} still runs.`),
        ...left.map(({ file, why }) => `${style.warn('!')} ${file} was left alone: ${why}.`),
      ].join('\n'),
    );
    return exitCodes[answer];
  },
});
