import { loadSystem } from '../config/load.ts';
import { formatDuration } from '../core/duration.ts';
import { formatMoment, parseMoment } from '../core/moment.ts';
import { countOf, formatSize } from '../core/size.ts';
import { type RecoverDocument, type RecoveredDataset, recoverJob } from '../jobs/recover.ts';
import { knowWriters } from '../operations/bootstrap/know-writers.ts';
import { addressed } from '../operations/find-vault.ts';
import { openSystem } from '../operations/system.ts';
import { passedOverWords } from '../vault/index.ts';
import { addressOptions, openedAddress } from './address-options.ts';
import { askAt } from './ask.ts';
import { defineCommand, flag, many, value } from './command.ts';
import { askWriterAt, confirmUse } from './consent.ts';
import { exitCodes } from './exit.ts';
import type { Style } from './output.ts';
import { placesOf } from './places.ts';

export const recover = defineCommand({
  words: '[dataset...]',
  description: `Brings everything back to where it belongs, in the order of the configuration, and compares each dataset with what was
recorded about it. One that fails does not keep the others from it. Run again after an interruption, it goes on where it was. What is
at a target stays unless --force is given. A configuration that was not used on this machine before, or was changed since, is shown
first, with all that it does, and needs a yes. Needs --identity. Exit code 1 when what came back differs, or a newer restore point was
passed over because it is not believed; 2 when something did not come back.

  lifeboat recover --identity offline.txt
  lifeboat recover --into app-db=/srv/try/app.db --into uploads=/srv/try/uploads --identity daily.txt
  lifeboat recover --from /mnt/usb/backups --identity offline.txt`,
  options: {
    from: value('<address>', 'also read from this copy of the vault, before those of the configuration'),
    at: value('<moment>', 'the newest restore points at or before it (default: latest)'),
    force: flag('replace what is at the targets'),
    acceptWriter: many(
      '<key>',
      'where this machine knows no writer of the vault yet: believe what these public keys signed',
    ),
    trust: flag('say yes to all that the configuration does: for scripts, once somebody has read it'),
    trustCode: flag('let code that the backup of a database defines run with all rights of its URL'),
    numericOwners: flag('give files to the recorded numbers of users and groups, whatever their names are here'),
    into: many(
      '<dataset=target>',
      'a rehearsal: bring each dataset back to such a place, and touch nothing where it was',
    ),
    intoFile: value('<file>', "the same from a file with lines 'dataset: target'"),
    again: flag('bring back again what an earlier run of this command brought back'),
    ...addressOptions,
  },
  async run({ words, options, common, keys, job, env, clock, run, out }) {
    const given = await keys();
    const moment = parseMoment(options.at ?? 'latest', clock.now());
    const stored = loadSystem(common.config, env);
    const ask = askAt(process.stdin, process.stderr, run.signal);
    await confirmUse(stored, { trust: options.trust, ask });
    const { [addressed]: _, ...others } = stored.destinations;
    const from = options.from === undefined ? undefined : await openedAddress(options.from, options, { env, run });
    const destinations = from === undefined ? stored.destinations : { [addressed]: from.config, ...others };
    using system = openSystem({ ...stored, destinations }, { clock });
    const into = placesOf(options.into, options.intoFile, words.length > 0 ? words : Object.keys(stored.datasets));
    const { force, trustCode, numericOwners, again } = options;
    const belief = { ...given, acceptWriters: options.acceptWriter, askWriter: askWriterAt(ask) };
    await knowWriters(system, belief, run);
    const { document, answer } = await job(
      recoverJob,
      {
        ...{ datasets: words, force, trustCode, numericOwners, again },
        ...(into !== undefined && { into: Object.fromEntries(into) }),
        ...(moment !== 'latest' && { atMs: moment }),
      },
      { system: async () => system },
    );
    for (const { destination, key, why } of document.damage) {
      out.note(`${out.style.warn('!')} ${destination}${key === '' ? '' : ` ${key}`}: ${why}`);
    }
    out.done(document, (report, style) => recoverText(report, clock.now(), style), answer === 'ok');
    return exitCodes[answer];
  },
});

export function recoverText(report: RecoverDocument, nowMs: number, style: Style): string {
  const { datasets, passedOver, manual, rtoMs, elapsedMs } = report;
  const lines = datasets.flatMap((one) => datasetLines(one, nowMs, style));
  const all = countOf(datasets.length, 'dataset');
  const took = `${formatDuration(rtoMs)}, and compared after ${formatDuration(elapsedMs)}`;
  lines.push(...passedOverWords(passedOver).map((words) => `${style.warn('!')} ${words}`));
  const namesOf = (which: (one: RecoveredDataset) => boolean) =>
    datasets
      .filter(which)
      .map(({ dataset }) => dataset)
      .join(', ');
  const failed = namesOf(({ state }) => state === 'failed');
  const different = namesOf(({ compared }) => compared?.verdict === 'different');
  const verdict =
    failed !== ''
      ? style.bad(`Not back: ${failed}. Mend that, then run the same command again: what is back stays.`)
      : different !== ''
        ? style.bad(`Back, and not as recorded: ${different}. What differs is named above; ${all} in ${took}.`)
        : passedOver.length > 0
          ? style.warn(`Back, and not from the newest restore points: why is named above; ${all} in ${took}.`)
          : style.good(`All of it is back: ${all} in ${took}.`);
  lines.push('', verdict);
  if (report.rehearsal) lines.push('A rehearsal: nothing was touched where it was.');
  else if (failed === '' && manual.length > 0) {
    lines.push('', 'What is left to do:', ...manual.map(({ purpose, runs }) => `  ${purpose} ${style.dim(runs)}`));
  }
  return lines.join('\n');
}

function datasetLines(one: RecoveredDataset, nowMs: number, style: Style): string[] {
  const { dataset, state, error, compared, time = '', problems = [] } = one;
  const name = style.bold(dataset);
  if (error !== undefined) {
    return [`${style.bad('✗')} ${name}: ${error.message}`, `    ${error.hint} ${style.dim(`[${error.code}]`)}`];
  }
  const asOf = `as of ${formatMoment(Date.parse(time), nowMs)}`;
  if (state === 'was back')
    return [`${style.good('✓')} ${name} ${asOf} was brought back by an earlier run; this one did not compare it.`];
  const { where, files = 0, bytes = 0, backAfterMs = 0, rtoMs = 0 } = one;
  const what = files > 0 ? `${countOf(files, 'file')}, ${formatSize(bytes)}` : formatSize(bytes);
  const late = backAfterMs > rtoMs ? style.warn(` (objective ${formatDuration(rtoMs)})`) : '';
  const mark = compared?.verdict === 'different' ? style.bad('✗') : style.good('✓');
  return [
    `${mark} ${name} ${asOf} is back at ${where}: ${what}, after ${formatDuration(backAfterMs)}${late}`,
    `    ${compared?.verdict === 'unknown' ? 'Not compared: ' : ''}${compared?.message ?? ''}`,
    ...problems.map((message) => `${style.warn('!')} ${message}`),
  ];
}
