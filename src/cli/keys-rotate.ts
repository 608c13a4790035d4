import { formatMoment } from '../core/moment.ts';
import { shortRecipient } from '../core/recipient-print.ts';
import { countOf, formatSize } from '../core/size.ts';
import { keysRotateJob } from '../jobs/keys.ts';
import type { LeftByRotation, Rotation } from '../operations/keys/rotate.ts';
import { defineCommand, flag, many, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

export const keysRotate = defineCommand({
  description: `Changes vault.recipients in the configuration; comments stay. New backups are made for the new recipients, whole. What is
stored already an added one opens once somebody with another key has run 'lifeboat keys admit'; what a removed one opened it
goes on opening. This says what that means, for how long, and for whom.

  lifeboat keys rotate --add age1… --remove age1rr56a65c --comment "offline, in a safe"`,
  options: {
    add: many('<recipient>', 'age1…, or an SSH public key; repeat for several'),
    remove: many('<recipient>', 'one of vault.recipients, or enough of its beginning; repeat for several'),
    comment: value('<text>', 'written beside what is added'),
    dryRun: flag('say what would follow, change nothing'),
  },
  async run({ options, job, clock, out }) {
    const { add, remove, comment, dryRun } = options;
    if (add.length + remove.length === 0) {
      throw usageWrong({ what: '--add or --remove names a recipient.', command: 'lifeboat keys rotate' });
    }
    const plain = comment?.replace(/\s+/g, ' ').trim();
    const request = { add, remove, dryRun, ...(plain !== undefined && { comment: plain }) };
    const { document } = await job(keysRotateJob, request);
    out.answer(document, (document, style) => rotationText(document, clock.now(), style));
    return exitCodes.ok;
  },
});

function rotationText({ written, added, removed, recipients, left }: Rotation, nowMs: number, style: Style): string {
  const changes = [...added.map((one) => `+ ${one}`), ...removed.map((one) => `- ${one}`)];
  return [
    written ? `${style.good('✓')} Changed vault.recipients:` : 'Would change vault.recipients:',
    ...changes.map((change) => `  ${change}`),
    ...(recipients.length < 2
      ? [`${style.warn('!')} One recipient is left: if its key is lost, every backup is.`]
      : []),
    ...(left === null ? [] : ['', ...leftLines(left, added, removed, nowMs, style)]),
  ].join('\n');
}

function leftLines(
  left: LeftByRotation,
  added: readonly string[],
  removed: readonly string[],
  nowMs: number,
  style: Style,
): string[] {
  const at = (time: string) => formatMoment(Date.parse(time), nowMs);
  const until = left.datasets.map(({ dataset, points, until }) =>
    until === null
      ? `    ${dataset}: ${points}; how long the last of them is kept cannot be told`
      : `    ${dataset}: ${points}, the last dropped by ${at(until).replace(/ \d\d:\d\d UTC$/, '')} if backups go on; later if pinned or locked`,
  );
  const earlier = `${countOf(left.points, 'restore point')} made up to ${at(left.newest)}`;
  return [
    ...(added.length === 0
      ? []
      : [
          `The ${earlier} stay${left.points === 1 ? 's' : ''} closed to the added key until somebody with another key runs:`,
          '  lifeboat keys admit --identity FILE',
          ...(left.sentAgainBytes === 0
            ? []
            : [
                `  Before the next backup: it sends about ${formatSize(left.sentAgainBytes)} again where that was not done.`,
              ]),
        ]),
    ...(removed.length === 0 ? [] : removedLines()),
  ];

  function removedLines(): string[] {
    const opens = `The removed key still opens what it opened before, up to all of the ${earlier}. Nothing takes that back.`;
    const again = left.stillOpens.map(({ recipient, packs, sizeBytes, unknown }) =>
      unknown > 0
        ? `  ${shortRecipient(recipient)}: how much of it new backups use again is not known here (${countOf(unknown, 'pack')} of another host).`
        : `  ${shortRecipient(recipient)} opens ${countOf(packs, 'pack')} (${formatSize(sizeBytes)}) that new backups use again where data did not change.`,
    );
    const fresh = '  To let those die out with the retention:  lifeboat backup --fresh  (sends that data again, once)';
    return [
      `${style.warn('!')} ${opens}`,
      ...(added.length === 0 ? until : []),
      // Where everything is sent again for an added key, nothing old is used again.
      ...(left.sentAgainBytes > 0 ? ['  New backups use nothing of that again.'] : [...again, fresh]),
      '  If the key was stolen, also change what the backups hold: passwords, tokens, signing keys.',
    ];
  }
}
