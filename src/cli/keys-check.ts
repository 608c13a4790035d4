import { sentenceOf } from '../core/errors.ts';
import { formatMoment } from '../core/moment.ts';
import { noIdentityFits } from '../vault/age/errors.ts';
import { recipientOf } from '../vault/age/identity.ts';
import type { VaultReader } from '../vault/vault.ts';
import { defineCommand } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';

interface KeyCheck {
  readonly recipient: string;
  /** Whether new backups are made for it. */
  readonly inConfiguration: boolean;
  /** The newest restore point of each dataset, and whether this key alone opens it. */
  readonly opens: ReadonlyArray<{
    readonly dataset: string;
    readonly time: string;
    readonly opened: boolean;
    readonly why: string | null;
  }>;
}

export const keysCheck = defineCommand({
  description: `Tries each identity given with --identity, alone, on the newest restore point of every dataset. Fetch the offline
key for it once in a while: a key that was never tried is a hope.`,
  options: {},
  async run({ system, identities, clock, out }) {
    const open = await system();
    const given = await identities();
    const vault = await open.vault(noteDamage(out));
    const checks: KeyCheck[] = [];
    for (const identity of given) checks.push(await tryKey(identity, open.config.vault.recipients, vault));
    const good = checks.every((check) => check.opens.length > 0 && check.opens.every((one) => one.opened));
    out.answer({ good, keys: checks }, (document, style) => keysText(document.keys, clock.now(), style));
    return good ? exitCodes.ok : exitCodes.no;
  },
});

async function tryKey(identity: string, recipients: readonly string[], vault: VaultReader): Promise<KeyCheck> {
  const recipient = await recipientOf(identity);
  const { points } = await vault.restorePoints();
  const newest = new Map(points.map((point) => [point.record.dataset, point]));
  const opens: KeyCheck['opens'][number][] = [];
  for (const [dataset, point] of newest) {
    const { time } = point.record;
    try {
      await vault.open(point, [identity]);
      opens.push({ dataset, time, opened: true, why: null });
    } catch (error) {
      const why = noIdentityFits.is(error) ? 'it was not made for this key' : sentenceOf(error);
      opens.push({ dataset, time, opened: false, why });
    }
  }
  return { recipient, inConfiguration: recipients.includes(recipient), opens };
}

function keysText(checks: readonly KeyCheck[], nowMs: number, style: Style): string {
  return checks
    .flatMap(({ recipient, inConfiguration, opens }) => [
      style.bold(recipient),
      ...(inConfiguration ? [] : [`  ${style.warn('!')} not among vault.recipients: new backups are not made for it`]),
      ...(opens.length === 0 ? [`  ${style.warn('!')} there is no restore point to try it on`] : []),
      ...opens.map(({ dataset, time, opened, why }) => {
        const point = `${dataset}, ${formatMoment(Date.parse(time), nowMs)}`;
        return opened ? `  ${style.good('✓')} opens ${point}` : `  ${style.bad('✗')} does not open ${point}: ${why}`;
      }),
    ])
    .join('\n');
}
