import { defineCommand } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { makeSheets, sharesText, splitOptions } from './share-sheets.ts';

export const keysSplit = defineCommand({
  description: `Splits the private key given with --identity among people (Shamir): any --threshold of the --shares give it back, fewer
say nothing about it. Each share is a sheet that can be typed in again, every line with its own checksum.

  lifeboat keys split --identity offline.txt --shares 5 --threshold 3 --into sheets --holder Ada --holder Grace`,
  options: splitOptions,
  async run({ options, keys, clock, config, out }) {
    const { identities, vouched } = await keys();
    const [identity, second] = identities;
    if (identity === undefined || second !== undefined) {
      throw usageWrong({ what: 'Exactly one private key can be split at a time.', command: 'lifeboat keys split' });
    }
    const made = await makeSheets(
      identity,
      options,
      { clock, config },
      'lifeboat keys split',
      vouched.flatMap(({ lines }) => lines),
    );
    out.answer(made, (document, style) =>
      [sharesText(document, style), 'The key file is still whole. Remove it where only the shares are to remain.'].join(
        '\n',
      ),
    );
    return exitCodes.ok;
  },
});
