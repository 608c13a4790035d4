import { parseMoment } from '../core/moment.ts';
import { drillReport } from '../operations/drill/report.ts';
import { runDrill } from '../operations/drill/run-drill.ts';
import { defineCommand, flag, value } from './command.ts';
import { exitCodes } from './exit.ts';

export const drill = defineCommand({
  words: '[dataset...]',
  description: `Restores the newest restore points into a private sandbox without network, starts the application, makes every check,
removes it all and leaves signed evidence. Needs --identity. Exit code 0: proved, and within the objectives; 1: not; 2: the
drill could not find out.`,
  options: {
    at: value('<moment>', 'the newest restore points at or before it (default: latest)'),
    allowNetwork: flag('start the application even where the network cannot be cut off'),
    trigger: value('<word>', 'what the evidence says started it (default: manual)'),
  },
  async run({ words, options, common, system, identities, clock, run, out }) {
    const moment = parseMoment(options.at ?? 'latest', clock.now());
    const request = {
      datasets: words,
      allowNetwork: options.allowNetwork,
      trigger: options.trigger ?? 'manual',
      identities: await identities(),
      identityFiles: common.identity,
      ...(moment !== 'latest' && { atMs: moment }),
    };
    const outcome = await runDrill(await system(), request, run);
    const proved = outcome.verdict === 'proved' && outcome.objectivesMet && outcome.evidence !== null;
    out.done(outcome, drillReport, proved);
    if (outcome.verdict === 'inconclusive') return exitCodes.failed;
    return proved ? exitCodes.ok : exitCodes.no;
  },
});
