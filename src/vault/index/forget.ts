import { existsSync } from 'node:fs';
import { inState } from '../../host/state-names.ts';
import { lockWriter } from '../lock.ts';
import type { WriterKeys } from '../writer/keys.ts';
import { type IndexCache, openIndexCache } from './cache.ts';

type Keys = Pick<WriterKeys, 'vault' | 'writer'>;

/**
 * Tells this host's writer that these packs and lists are not where it believes, so that the next backup sends the chunks again
 * from the source. @throws `backup-running`
 */
export function forgetObjects(
  stateDir: string,
  keys: Keys,
  lost: ReadonlyArray<{ readonly destination: string; readonly id: string }>,
): void {
  change(stateDir, keys, lost.length, (index) => {
    for (const { destination, id } of lost) index.forgetHolder(destination, id);
  });
}

/** Tells this host's writer that these packs do not hold what they say. @throws `backup-running` */
export function distrustPacks(stateDir: string, keys: Keys, packs: readonly string[]): void {
  change(stateDir, keys, packs.length, (index) => distrust(index, packs));
}

/** @returns all that were ever named */
export function distrust(index: Pick<IndexCache, 'get' | 'set'>, packs: Iterable<string>): ReadonlySet<string> {
  const known = new Set(index.get(distrusted)?.split(' '));
  const all = known.union(new Set(packs));
  if (all.size > known.size) index.set(distrusted, [...all].join(' '));
  return all;
}

/** Of the index's facts: ids of packs. The ledger has them too; it may not be there to be asked. */
const distrusted = 'wrong packs';

function change(stateDir: string, keys: Keys, many: number, work: (index: IndexCache) => void): void {
  const file = inState(stateDir, 'index');
  if (many === 0 || !existsSync(file)) return;
  using _lock = lockWriter(stateDir);
  const index = openIndexCache(file, `${keys.vault} ${keys.writer}`);
  try {
    work(index);
  } finally {
    index.close();
  }
}
