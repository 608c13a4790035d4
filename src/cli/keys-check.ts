import { formatMoment } from '../core/moment.ts';
import { countOf } from '../core/size.ts';
import { keysCheckJob } from '../jobs/keys.ts';
import type { Coverage, KeyCheck } from '../operations/keys/check-keys.ts';
import { defineCommand, many } from './command.ts';
import { identityNeeded } from './errors.ts';
import { exitCodes } from './exit.ts';
import { readIdentities } from './identities.ts';
import { identityContext } from './identity-context.ts';
import { keyRing } from './key-ring.ts';
import type { Style } from './output.ts';

export const keysCheck = defineCommand({
  description: `Tries each private key given with --identity, alone, on every restore point at every destination: can it open all of
the newest one, and since when? Shares of a split key are put together in memory. Only the beginnings of objects are read. Fetch
the offline key for it once in a while: a key that was never tried is a hope. Without a key it says whom the newest restore points
were made for, as far as this host knows.`,
  options: { shares: many('<file>', 'a share of a split key; repeat for all that are needed') },
  async run({ options, common, job, env, clock, run, out }) {
    const sources = [...common.identity, ...options.shares];
    const keys = keyRing(sources, () => readIdentities(sources, identityContext(env, out, run.signal)));
    const { document, answer } = await job(keysCheckJob, {}, { keys });
    if ('recipients' in document) {
      const { recipients } = document;
      // What another host wrote only a key can tell of.
      if (recipients.every(({ datasets }) => datasets.every((one) => one.madeFor === null))) throw identityNeeded({});
    }
    out.answer(document, (document, style) =>
      'recipients' in document
        ? coverageText(document.recipients, clock.now(), style)
        : keysText(document.keys, clock.now(), style),
    );
    return exitCodes[answer];
  },
});

function keysText(checks: readonly KeyCheck[], nowMs: number, style: Style): string {
  const at = (time: string) => formatMoment(Date.parse(time), nowMs);
  return checks
    .flatMap(({ recipient, inConfiguration, opens }) => [
      style.bold(recipient),
      ...(inConfiguration ? [] : [`  ${style.warn('!')} not among vault.recipients: new backups are not made for it`]),
      ...(opens.length === 0 ? [`  ${style.warn('!')} there is no restore point to try it on`] : []),
      ...opens.flatMap(({ dataset, time, opened, destinations, since, opensPoints, points }) => [
        opened
          ? `  ${style.good('✓')} opens ${dataset}, ${at(time)}, at ${destinations.map((one) => one.destination).join(', ')}`
          : `  ${style.bad('✗')} does not open ${dataset}, ${at(time)}`,
        ...destinations.filter((one) => !one.opened).map(({ destination, why }) => `      ${destination}: ${why}`),
        since !== null && opensPoints < points
          ? `      each one since ${at(since)}; ${opensPoints} of ${countOf(points, 'restore point')} in all`
          : `      ${opensPoints} of ${countOf(points, 'restore point')}`,
      ]),
    ])
    .join('\n');
}

function coverageText(recipients: readonly Coverage[], nowMs: number, style: Style): string {
  const at = (time: string) => formatMoment(Date.parse(time), nowMs);
  const lines = recipients.flatMap(({ recipient, datasets }) => [
    style.bold(recipient),
    ...datasets.map(({ dataset, time, madeFor, since }) => {
      if (madeFor === null)
        return `  ${style.warn('!')} ${dataset}, ${at(time)}: nobody who is known says who opens it`;
      if (!madeFor) return `  ${style.bad('✗')} ${dataset}, ${at(time)}: not made for it; the next backup is`;
      return `  ${style.good('✓')} ${dataset}, ${at(time)}: made for it, as is each one since ${at(since ?? time)}`;
    }),
  ]);
  return [
    ...lines,
    '',
    'This is what those say who stored the keys. Give one with --identity to see that it opens them.',
  ].join('\n');
}
