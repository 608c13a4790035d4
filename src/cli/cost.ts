import { countOf, formatCount, formatSize } from '../core/size.ts';
import { classNames } from '../core/storage-classes.ts';
import { costJob } from '../jobs/cost.ts';
import type { CostReport, DestinationCost } from '../operations/cost/cost.ts';
import type { Monthly } from '../operations/cost/estimate.ts';
import { defineCommand, flag, value } from './command.ts';
import { usageWrong } from './errors.ts';
import { exitCodes } from './exit.ts';
import { type Style, table } from './output.ts';

export const cost = defineCommand({
  description: `What is stored, by destination and dataset, and about what it costs a month: now, after a prune, and with --class as if
packs lay in another storage class. With --restore what it takes to read the newest restore points back, and what has to be
thawed first. From records alone, needs no key. Prices are a small table; 'price:' in lifeboat.yaml goes before it.`,
  options: {
    class: value('<name>', `compare with this storage class: ${classNames.join(', ')}`, parseClass),
    restore: flag('say what reading everything back takes and costs'),
  },
  async run({ options, job, out }) {
    const { class: className, restore } = options;
    const { document } = await job(costJob, className === undefined ? {} : { className });
    out.answer(document, (document, style) => costText(document, restore, style));
    return exitCodes.ok;
  },
});

function parseClass(text: string): string {
  const name = text.toUpperCase();
  if (!classNames.includes(name)) {
    throw usageWrong({ what: `'${text}' is no storage class: ${classNames.join(', ')}.`, command: 'lifeboat cost' });
  }
  return name;
}

function costText(report: CostReport, restore: boolean, style: Style): string {
  const { destinations, unknown, total, totalAfterPrune, pricesFrom } = report;
  const blocks = destinations.map((one) => destinationText(one, restore, style));
  for (const name of unknown) blocks.push(`${style.bold(name)}\n  does not answer: what lies there is not known`);
  const priced = destinations.some(({ monthly }) => monthly !== null);
  if (priced) {
    const after = totalAfterPrune < total ? `, after a prune ${dollars(totalAfterPrune)}` : '';
    const table = destinations.some(({ provider, monthly }) => provider !== null && monthly !== null);
    blocks.push(`In all ${style.bold(dollars(total))} a month${after}.`);
    if (table) blocks.push(style.dim(`Prices: ${pricesFrom}.`));
  }
  return blocks.join('\n\n');
}

function destinationText(one: DestinationCost, restore: boolean, style: Style): string {
  const { destination, location, provider, storageClass, datasets, objects, bytes, monthly, afterPrune, otherwise } =
    one;
  const where = [location, provider, storageClass === 'STANDARD' ? undefined : storageClass].filter(Boolean).join(', ');
  const lines = [`${style.bold(destination)} ${style.dim(`(${where})`)}`];
  const rows = datasets.map(({ dataset, restorePoints, ownBytes, sharedBytes }) => [
    `  ${dataset}`,
    formatSize(ownBytes),
    sharedBytes > 0 ? `+ ${formatSize(sharedBytes)} shared` : '',
    countOf(restorePoints, 'restore point'),
  ]);
  if (rows.length > 0) lines.push(table(rows));
  const freed = bytes - afterPrune.bytes;
  lines.push(`  now ${formatSize(bytes)} in ${countOf(objects, 'object')}${monthText(monthly)}`);
  if (freed > 0) lines.push(`  after a prune ${formatSize(afterPrune.bytes)}${monthText(afterPrune.monthly)}`);
  if (otherwise !== null)
    lines.push(`  in ${otherwise.storageClass}${monthText(otherwise.monthly) || ': no price known'}`);
  if (restore) lines.push(...restoreLines(one, style));
  return lines.join('\n');
}

function restoreLines({ restore }: DestinationCost, style: Style): string[] {
  const { objects, bytes, cost, thaw } = restore;
  const price = cost === null ? '' : `, ${dollars(cost)}`;
  const lines = [
    `  reading the newest of each dataset back: ${formatSize(bytes)} in ${countOf(objects, 'object')}${price}`,
  ];
  if (thaw !== undefined) {
    lines.push(
      `  ${style.warn('!')} ${formatCount(thaw.objects)} packs (${formatSize(thaw.bytes)}) have to be thawed first: ${thaw.usualHours} h, or ${thaw.cheapHours} h the cheap way. --json names them.`,
    );
  }
  return lines;
}

function monthText(monthly: Monthly | null): string {
  if (monthly === null) return '';
  const requests = monthly.requests >= 0.005 ? ` (${dollars(monthly.requests)} of it for storing)` : '';
  return `: ${dollars(monthly.total)} a month${requests}`;
}

function dollars(amount: number): string {
  if (amount === 0) return 'nothing';
  return amount < 0.01 ? 'under $0.01' : `about $${amount.toFixed(2)}`;
}
