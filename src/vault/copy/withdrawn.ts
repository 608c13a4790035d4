import { parseKey } from '../format/keys.ts';
import { readView } from '../prune/view.ts';
import type { Trust } from '../trust.ts';
import type { Holdings } from './holdings.ts';

/**
 * The packs and manifests that the newest prune has marked: they are on their way out, and what is copied would only have to be removed
 * again. What cannot be read, or is signed by a stranger, withdraws nothing: then too much is copied, never too little.
 */
export async function withdrawnAt(
  vault: string,
  all: readonly Holdings[],
  trust: Trust = {},
): Promise<ReadonlySet<string>> {
  const pruned = all.filter(({ sizes }) => sizes.keys().some((key) => parseKey(key)?.type === 'generation'));
  const destinations = pruned.map(({ destination }) => destination);
  const passOver = () => {};
  const { tombstones } = await readView(destinations, { vault, trust, onFailure: passOver, onSuspect: passOver });
  return tombstones;
}
