import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { RandomBytes } from '../../core/clock.ts';
import { defineError, whyOf } from '../../core/errors.ts';
import { printOf } from '../../core/recipient-print.ts';
import { splitImpossible } from '../../keys/errors.ts';
import { parseShare, type Share } from '../../keys/share.ts';
import { type SheetFacts, sheetHtml, sheetText } from '../../keys/sheet.ts';
import { combineShares, type NamedShare, type SplitRequest, splitSecret } from '../../keys/split.ts';
import { identityOf, isSshIdentity, recipientOf, secretOf } from '../../vault/age/index.ts';

export const sheetsUnwritten = defineError({
  code: 'sheets-unwritten',
  about: 'place',
  exit: 2,
  say: (fact: { folder: string; why: string }) => `The sheets could not be written to ${fact.folder}: ${fact.why}.`,
  hint: () =>
    'Name a folder that does not exist yet. Sheets are never overwritten: they may be the only ones of a key.',
});

export interface SplitKey {
  readonly recipient: string;
  readonly shares: readonly Share[];
}

/** Splits an `AGE-SECRET-KEY-1…` identity. @throws `split-impossible` */
export async function splitIdentity(
  identity: string,
  request: Omit<SplitRequest, 'print'>,
  random: RandomBytes,
): Promise<SplitKey> {
  if (isSshIdentity(identity)) {
    throw splitImpossible({ why: 'it is an SSH key, and only age keys (AGE-SECRET-KEY-1…) are short enough to type' });
  }
  const recipient = recipientOf(identity);
  const shares = await splitSecret(secretOf(identity), { ...request, print: printOf(recipient) }, random);
  return { recipient, shares };
}

/** The identity that these are shares of. @throws what `combineShares` throws */
export async function identityOfShares(given: readonly NamedShare[]): Promise<string> {
  const fits = async (secret: Uint8Array, print: string) => printOf(recipientOf(identityOf(secret))).startsWith(print);
  return identityOf(await combineShares(given, fits));
}

/** The identities of shares of one or several sets. */
export async function identitiesOfShares(given: readonly NamedShare[]): Promise<string[]> {
  const identities: string[] = [];
  for (const set of new Set(given.map(({ share }) => share.set))) {
    identities.push(await identityOfShares(given.filter(({ share }) => share.set === set)));
  }
  return identities;
}

/**
 * A sheet for each share, as text and as HTML, readable by their owner only. What was written is read back and put together
 * before this returns. @throws `sheets-unwritten`
 */
export async function writeSheets(
  folder: string,
  { recipient, shares }: SplitKey,
  facts: Pick<SheetFacts, 'system' | 'vouched'> & { readonly holders: readonly string[] },
): Promise<readonly string[]> {
  const written: string[] = [];
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const share of shares) {
      const holder = facts.holders[share.number - 1];
      const { system, vouched } = facts;
      const about = { system, vouched, recipient, ...(holder !== undefined && { holder }) };
      const file = join(folder, `share-${share.number}-of-${share.total}`);
      await writeNew(`${file}.html`, sheetHtml(share, about));
      await writeNew(`${file}.txt`, sheetText(share, about));
      written.push(`${file}.txt`);
    }
  } catch (cause) {
    throw sheetsUnwritten({ folder, why: whyOf(cause) }, { cause });
  }
  return written;
}

/** Whether the sheets give the key back: the first of them, and the last. @throws what is wrong with them */
export async function tryShares(texts: ReadonlyArray<{ readonly name: string; readonly text: string }>): Promise<void> {
  const named = texts.map(({ name, text }) => ({ name, share: parseShare(text, name) }));
  const threshold = named[0]?.share.threshold ?? 0;
  await identityOfShares(named.slice(0, threshold));
  await identityOfShares(named.slice(-threshold));
}

async function writeNew(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}
