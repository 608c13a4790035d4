import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { SplitRequest } from '../keys/split.ts';
import type { Vouched } from '../keys/vouched.ts';
import { splitIdentity, tryShares, writeSheets } from '../operations/keys/shares.ts';
import { vouchedHere } from '../operations/keys/vouched-here.ts';
import type { CommandContext } from './command.ts';
import { many, value } from './command.ts';
import { usageWrong } from './errors.ts';
import type { Style } from './output.ts';

/** The options of commands that make shares. */
export const splitOptions = {
  shares: value('<number>', 'how many shares there are (default: 5)', count),
  threshold: value('<number>', 'how many of them give the key back (default: 3)', count),
  into: value('<folder>', 'where the sheets go: one text and one HTML file each'),
  holder: many('<name>', 'who keeps share 1, 2 … : printed on the sheet; repeat'),
};

interface SplitWishes {
  readonly shares: number | undefined;
  readonly threshold: number | undefined;
  readonly into: string | undefined;
  readonly holder: readonly string[];
}

export interface SharesMade {
  readonly recipient: string;
  readonly set: string;
  readonly shares: number;
  readonly threshold: number;
  /** The text sheets; beside each lies its HTML. */
  readonly sheets: readonly string[];
}

/** Splits `identity`, writes the sheets, reads them back and tries whether they give it again. `vouched`: what its file says. */
export async function makeSheets(
  identity: string,
  wishes: SplitWishes,
  { clock, config }: Pick<CommandContext<unknown>, 'clock' | 'config'>,
  command: string,
  vouched: readonly Vouched[] = [],
): Promise<SharesMade> {
  if (wishes.into === undefined) throw usageWrong({ what: '--into names the folder for the sheets.', command });
  const request: Omit<SplitRequest, 'print'> = {
    shares: wishes.shares ?? 5,
    threshold: wishes.threshold ?? 3,
    madeMs: clock.now(),
  };
  const split = await splitIdentity(identity, request, randomBytes);
  // A key can be split where there is no configuration.
  const loaded = await config().catch(() => undefined);
  const facts = {
    system: loaded?.name ?? '________________',
    vouched: vouched.length > 0 || loaded === undefined ? vouched : vouchedHere(loaded),
    holders: wishes.holder,
  };
  const sheets = await writeSheets(wishes.into, split, facts);
  await tryShares(await Promise.all(sheets.map(async (name) => ({ name, text: await readFile(name, 'utf8') }))));
  const { recipient, shares } = split;
  return { recipient, set: shares[0]!.set, shares: request.shares, threshold: request.threshold, sheets };
}

export function sharesText({ recipient, set, shares, threshold, sheets }: SharesMade, style: Style): string {
  return [
    `${style.good('✓')} Split ${recipient} into ${shares} shares, set ${set}: any ${threshold} give the key back. Tried.`,
    ...sheets.map((file) => `  ${file}   (and ${file.replace(/\.txt$/, '.html')} to print, with a QR code)`),
    '',
    'Give each sheet to another person or place, then remove the files from this machine.',
  ].join('\n');
}

function count(text: string): number {
  return /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
}
