import { identityOfShares } from '../operations/keys/shares.ts';
import { recipientOf } from '../vault/age/index.ts';
import { defineCommand, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { readShares } from './identities.ts';
import { identityContext } from './identity-context.ts';
import { writeKeyFile } from './key-files.ts';
import { typeShares } from './typed-shares.ts';

const command = 'lifeboat keys combine';

export const keysCombine = defineCommand({
  words: '[share...]',
  description: `Puts the shares of a split key together again and writes the private key to a file that only you may read. Shares are
files (the sheets, or what a QR code held); without any, they are typed on the terminal, and each line is checked at once.
For a restore no key file is needed: name the shares themselves with --identity.

  lifeboat keys combine --into key.txt share-1-of-5.txt share-4-of-5.txt share-5-of-5.txt`,
  options: { into: value('<file>', 'where the private key goes') },
  async run({ words, options, env, clock, run, out }) {
    const { into } = options;
    if (into === undefined) throw usageWrong({ what: '--into names the file for the private key.', command });
    const typed = words.length === 0;
    const { shares, vouched } = typed
      ? { shares: await typeShares(out, run.signal, command), vouched: [] }
      : await readShares(words, identityContext(env, out, run.signal));
    const identity = await identityOfShares(shares);
    const recipient = recipientOf(identity);
    const purpose = 'private key, put together from shares';
    await writeKeyFile(into, { identity, recipient }, { purpose, nowMs: clock.now(), vouched });
    out.answer({ file: into, recipient }, (document, style) =>
      [
        `${style.good('✓')} Wrote ${document.file}: the private key of ${document.recipient}.`,
        'Whoever has this file reads every backup made for it. Remove it when you are done.',
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
