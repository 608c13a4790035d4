import { vouchedHere } from '../operations/keys/vouched-here.ts';
import { generateIdentity } from '../vault/age/index.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { writeKeyFile } from './key-files.ts';

export const keysNew = defineCommand({
  words: '<file>',
  description: `Writes a new private key to a file that only you may read, and prints its recipient. Add that to vault.recipients:
backups made from then on open with the new key too. Earlier ones do not. Where this host writes backups, the file says to which vault
and under which key, so that a bare machine believes those and no others.`,
  options: {},
  async run({ words, config, clock, out }) {
    const file = words[0]!;
    const pair = generateIdentity();
    // A key can be made where there is no configuration.
    const vouched = await config().then(vouchedHere, () => []);
    await writeKeyFile(file, pair, { purpose: 'private key', nowMs: clock.now(), vouched });
    out.answer({ file, recipient: pair.recipient }, ({ recipient }, style) =>
      [`${style.good('✓')} Wrote ${file}. Keep it where the backups are not.`, recipient].join('\n'),
    );
    return exitCodes.ok;
  },
});
