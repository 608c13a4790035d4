import { unpin as unpinPoint } from '../operations/pins.ts';
import { defineCommand } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { exitCodes } from './exit.ts';

export const unpin = defineCommand({
  words: '<point>',
  description: 'Takes the pin from a restore point: from now on the retention decides about it again.',
  options: {},
  async run({ words, system, run, out }) {
    const [point = ''] = words;
    const open = await system();
    await unpinPoint(open, await open.vault(noteDamage(out)), point, run);
    out.done(
      { point },
      (_, style) =>
        [
          `${style.good('✓')} ${point} is not pinned any more`,
          "Another machine that prunes heeds this only if its vault.pruners names this one's key.",
        ].join('\n'),
      true,
    );
    return exitCodes.ok;
  },
});
