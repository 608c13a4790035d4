import { shortRecipient } from '../core/recipient-print.ts';
import { countOf } from '../core/size.ts';
import { keysAdmitJob } from '../jobs/keys.ts';
import type { Admission } from '../operations/keys/admit.ts';
import { defineCommand, many } from './command.ts';
import { exitCodes } from './exit.ts';
import { readIdentities } from './identities.ts';
import { identityContext } from './identity-context.ts';
import { keyRing } from './key-ring.ts';
import type { Style } from './output.ts';

export const keysAdmit = defineCommand({
  description: `Lets every recipient of the configuration open what was stored before it was added. Give a private key that opens it
already. Stores one small object for each epoch of the vault; no data is sent again, neither now nor by the next backup.

  lifeboat keys rotate --add age1… --comment "new laptop"
  lifeboat keys admit --identity offline.txt`,
  options: { shares: many('<file>', 'a share of a split key; repeat for all that are needed') },
  async run({ options, common, job, env, run, out }) {
    const sources = [...common.identity, ...options.shares];
    const keys = keyRing(sources, () => readIdentities(sources, identityContext(env, out, run.signal)));
    const { document, answer } = await job(keysAdmitJob, {}, { keys });
    out.answer(document, admissionText);
    return exitCodes[answer];
  },
});

function admissionText({ epochs, admitted, closed, behind }: Admission, style: Style): string {
  const lines = admitted.map(
    ({ recipient, epochs: count }) =>
      `${style.good('✓')} ${shortRecipient(recipient)} was let in to ${countOf(count, 'epoch')} of ${epochs}.`,
  );
  if (lines.length === 0 && closed === 0)
    lines.push('Every recipient opens all that is stored. Nothing was to be done.');
  if (closed > 0) {
    const what = `${countOf(closed, 'epoch')} could not be opened with what was given, so nobody was let in there.`;
    lines.push(`${style.bad('✗')} ${what}`, '  Give the key of a recipient that was there from the beginning.');
  }
  for (const { destination, why } of behind) {
    lines.push(`${style.warn('!')} ${destination} lacks it: ${why} The next backup brings it there.`);
  }
  return lines.join('\n');
}
