import { generateIdentity } from '../vault/age/index.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { makeSheets, sharesText, splitOptions } from './share-sheets.ts';

export const keysEscrow = defineCommand({
  description: `Makes a key pair whose private half exists only as shares: it is never written whole to a disk. Prints the recipient,
which 'lifeboat keys rotate --add' puts into the configuration.

  lifeboat keys escrow --shares 5 --threshold 3 --into sheets --holder Ada --holder Grace`,
  options: splitOptions,
  async run({ options, clock, config, out }) {
    const { identity } = generateIdentity();
    const made = await makeSheets(identity, options, { clock, config }, 'lifeboat keys escrow');
    out.answer(made, (document, style) =>
      [
        sharesText(document, style),
        'Nobody has the whole key. To have new backups made for it:',
        `  lifeboat keys rotate --add ${document.recipient}`,
        'and to prove that the shares open them:',
        '  lifeboat drill --escrow --shares …',
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
