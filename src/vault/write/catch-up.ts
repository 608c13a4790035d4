import type { Run } from '../../core/run.ts';
import { copyMissing } from '../../destinations/copy.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { manifestKey, packKey } from '../format/keys.ts';
import { decodeRecord } from '../format/record.ts';
import type { IndexCache } from '../index/cache.ts';
import type { Copies } from './copies.ts';

/** Copies to each destination what others hold and it does not. Ciphertext as it is: no key is needed. */
export async function catchUp(index: IndexCache, copies: Copies, run: Run): Promise<void> {
  for (const to of [...copies.active]) {
    const lagging = index.get(`lagging ${to.name}`) === 'yes';
    if (!lagging && index.missingAt(to.name).length === 0) continue;
    let whole = true;
    for (const from of copies.active) {
      if (from === to || !copies.active.includes(to)) continue;
      try {
        whole = (await fill(index, from, to, run)) && whole;
      } catch (error) {
        copies.drop(to, error);
      }
    }
    if (whole && index.missingAt(to.name).length === 0) index.set(`lagging ${to.name}`, 'no');
  }
}

/** True when `to` holds all that `from` has. Records come last: a destination names only restore points that it holds. */
async function fill(index: IndexCache, from: Destination, to: Destination, run: Run): Promise<boolean> {
  const refused = new Set<Key>();
  const copy = async (keys: Iterable<Key> | AsyncIterable<Key>) => {
    for (const { key } of (await copyMissing(from, to, keys, run)).refused) refused.add(key);
  };
  const packs = index.missingAt(to.name);
  await copy(packs.map(packKey));
  for (const pack of packs) if (!refused.has(packKey(pack))) index.addHolder(pack, to.name);
  for (const prefix of ['packs/', 'index/', 'manifests/', 'ledger/', 'gc/']) await copy(keysUnder(from, prefix));
  await copy(recordsWithout(new Set(refused), from));
  return refused.size === 0;
}

async function* keysUnder(destination: Destination, prefix: string): AsyncGenerator<Key> {
  for await (const { key } of destination.list(prefix)) yield key;
}

/** The records of restore points that need none of the `refused` objects. */
async function* recordsWithout(refused: ReadonlySet<Key>, from: Destination): AsyncGenerator<Key> {
  for await (const key of keysUnder(from, 'snapshots/')) {
    if (refused.size === 0 || !(await needs(refused, from, key))) yield key;
  }
}

async function needs(refused: ReadonlySet<Key>, from: Destination, key: Key): Promise<boolean> {
  try {
    const { packs, manifest } = decodeRecord(await from.get(key));
    return refused.has(manifestKey(manifest[0])) || packs.some(([pack]) => refused.has(packKey(pack)));
  } catch {
    // What it needs cannot be told. It is found damaged when it is verified.
    return true;
  }
}
