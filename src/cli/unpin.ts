import { unpinJob } from '../jobs/pins.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';

export const unpin = defineCommand({
  words: '<point>',
  description: 'Takes the pin from a restore point: from now on the retention decides about it again.',
  options: {},
  async run({ words, job, out }) {
    const { document } = await job(unpinJob, { point: words[0] ?? '' });
    out.done(document, ({ point }, style) =>
      [
        `${style.good('✓')} ${point} is not pinned any more`,
        "Another machine that prunes heeds this only if its vault.pruners names this one's key.",
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
