import { parseMoment } from '../core/moment.ts';
import { drillJob } from '../jobs/drill.ts';
import { sabotageJob } from '../jobs/sabotage.ts';
import { drillReport } from '../operations/drill/report.ts';
import { sabotageReport } from '../operations/drill/sabotage-report.ts';
import { identityOfShares } from '../operations/keys/shares.ts';
import { defineCommand, flag, many, value } from './command.ts';
import { exitCodes } from './exit.ts';
import { readShares } from './identities.ts';
import { identityContext } from './identity-context.ts';
import { keyRing } from './key-ring.ts';
import { typeShares } from './typed-shares.ts';

export const drill = defineCommand({
  words: '[dataset...]',
  description: `Restores the newest restore points into a private sandbox without network, starts the application, makes every check,
removes it all and leaves signed evidence. Needs --identity. Exit code 0: proved, and within the objectives; 1: not; 2: the
drill could not find out. With --escrow or --shares, the drill of the bad day: the only key is the escrowed one, put together from
its shares in memory; any other is refused. Without files the shares are typed. With --sabotage the checks are on trial, not the backup:
what came back is broken in every known way, and each time a check must say so. Exit code 0: all was seen; 1: something was not.`,
  options: {
    at: value('<moment>', 'the newest restore points at or before it (default: latest)'),
    withoutIsolation: flag('start the application even where nothing keeps it from this host; proves nothing'),
    escrow: flag('use the escrowed key and no other: shares are named, or typed'),
    shares: many('<file>', 'a share of the escrowed key; repeat for all that are needed'),
    sabotage: flag('break what came back in every known way, to see that the checks tell; leaves no evidence'),
    trigger: value('<word>', 'what the evidence says started it (default: manual)'),
  },
  async run({ words, options, common, job, identities, env, clock, run, out }) {
    const moment = parseMoment(options.at ?? 'latest', clock.now());
    const isEscrow = options.escrow || options.shares.length > 0;
    const sources = [...common.identity, ...options.shares];
    const escrowed = async () => {
      const shares =
        sources.length === 0
          ? await typeShares(out, run.signal, 'lifeboat drill')
          : (await readShares(sources, identityContext(env, out, run.signal))).shares;
      return [await identityOfShares(shares)];
    };
    const request = {
      datasets: words,
      withoutIsolation: options.withoutIsolation,
      trigger: options.trigger ?? 'manual',
      identityKind: isEscrow ? ('escrow' as const) : ('daily' as const),
      ...(moment !== 'latest' && { atMs: moment }),
    };
    const keys = keyRing(sources, isEscrow ? escrowed : identities);
    if (options.sabotage) {
      const { document, answer } = await job(sabotageJob, request, { keys });
      out.done(document, sabotageReport, answer === 'ok');
      return exitCodes[answer];
    }
    const { document, answer } = await job(drillJob, request, { keys });
    out.done(document, drillReport, answer === 'ok');
    return exitCodes[answer];
  },
});
