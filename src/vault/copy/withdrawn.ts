import { parseKey } from '../format/keys.ts';
import { baseOf, type LogBase } from '../format/record.ts';
import { readView, withdraws } from '../generations/index.ts';
import { type Needs, neededTogether, type WithNeeds } from '../hold/needs.ts';
import type { Sizes } from '../hold/sizes.ts';
import { type Floors, keptFor } from '../logs/floors.ts';
import { isKnownWriter, type Trust } from '../trust.ts';
import type { RestorePoint } from '../vault.ts';

/** What the newest prune says, for who copies. */
export interface Withdrawn {
  /** Of the generation; 0 without any. */
  readonly number: number;
  /** Packs, manifests and lists on their way out: what is copied would only have to be removed again. */
  readonly ids: ReadonlySet<string>;
  /** How far logs are on their way out. */
  readonly floors: Floors;
}

export interface WithdrawnOptions {
  /** Everyone's counts when absent. */
  readonly trust?: Trust;
  /** The restore points that are there. What one of a known writer needs that is not withdrawn itself is not on its way out, whoever says so. */
  readonly points?: () => Promise<ReadonlyArray<Pick<WithNeeds<RestorePoint>, 'record' | 'needs'>>>;
  /** Hashes of records that pruners named in the ledger: with it, only what both say is withdrawn. */
  readonly removed?: ReadonlySet<string>;
}

/** What cannot be read, or is signed by somebody who may not prune, withdraws nothing: then too much is copied, never too little. */
export async function withdrawnAt(
  vault: string,
  all: readonly Sizes[],
  { trust = {}, points, removed }: WithdrawnOptions = {},
): Promise<Withdrawn> {
  const pruned = all.filter(({ sizes }) => sizes.smallKeys().some((key) => parseKey(key)?.type === 'generation'));
  const destinations = pruned.map(({ destination }) => destination);
  const passOver = () => {};
  const view = await readView(destinations, { vault, trust, onFailure: passOver, onSuspect: passOver });
  const { number, tombstones, floors } = view;
  if ((tombstones.size === 0 && floors.size === 0) || points === undefined) return { number, ids: tombstones, floors };
  const ids = new Set(tombstones);
  const bases: LogBase[] = [];
  const staying: { readonly needs: Needs }[] = [];
  for (const { record, needs } of await points()) {
    if (!isKnownWriter(trust, record.writer, record.system) || withdraws(view, record, trust, removed)) continue;
    const base = baseOf(record);
    if (base !== undefined) bases.push(base);
    staying.push({ needs });
  }
  for (const [, , id] of neededTogether(staying)) ids.delete(id);
  return { number, ids, floors: keptFor(bases, floors) };
}
