import { join } from 'node:path';
import { vouchedLine } from '../keys/vouched.ts';
import { vouchedHere } from '../operations/keys/vouched-here.ts';
import { recipientOf } from '../vault/age/index.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { dailyKey, keysFolder, offlineKey } from './identities.ts';
import { recipientInFile } from './key-files.ts';
import { table } from './output.ts';

export const keysList = defineCommand({
  description: `The recipients of new backups, and which of them the identities given with --identity belong to. Whether they really
open what is stored, 'lifeboat keys check' says. Also the lines that belong beside each key, so that a bare machine knows whom to believe.`,
  options: {},
  async run({ config, common, identities, out }) {
    const system = await config();
    const { vault, root } = system;
    const beside = vouchedHere(system).map(vouchedLine);
    const given = common.identity.length > 0 ? (await identities()).map(recipientOf) : [];
    const files = [join(root, keysFolder, dailyKey), join(root, keysFolder, offlineKey)];
    const known = await Promise.all(files.map(async (file) => ({ file, recipient: await recipientInFile(file) })));
    const recipients = vault.recipients.map((recipient) => ({
      recipient,
      given: given.includes(recipient),
      file: known.find((one) => one.recipient === recipient)?.file ?? null,
    }));
    const strangers = given.filter((recipient) => !vault.recipients.includes(recipient));
    out.answer({ recipients, strangers, beside }, (document, style) =>
      [
        table(document.recipients.map((one) => [one.recipient, one.given ? style.good('given') : '', one.file ?? ''])),
        ...document.strangers.map(
          (recipient) => `${style.warn('!')} The identity of ${recipient} was given: new backups are not made for it.`,
        ),
        ...(document.beside.length === 0
          ? []
          : ['', 'Beside each of their private keys, in the file or on the sheet:']),
        ...document.beside.map((line) => `# ${line}`),
      ].join('\n'),
    );
    return exitCodes.ok;
  },
});
