import { generateIdentity } from '../vault/age/identity.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { writeKeyFile } from './key-files.ts';

export const keysNew = defineCommand({
  words: '<file>',
  description: `Writes a new private key to a file that only you may read, and prints its recipient. Add that to vault.recipients:
backups made from then on open with the new key too. Earlier ones do not.`,
  options: {},
  async run({ words, clock, out }) {
    const file = words[0]!;
    const pair = await generateIdentity();
    await writeKeyFile(file, pair, 'private key', clock.now());
    out.answer({ file, recipient: pair.recipient }, ({ recipient }, style) =>
      [`${style.good('✓')} Wrote ${file}. Keep it where the backups are not.`, recipient].join('\n'),
    );
    return exitCodes.ok;
  },
});
