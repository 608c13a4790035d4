import type { Destination, Key } from '../../destinations/destination.ts';
import { createIds } from '../format/ids.ts';
import { folders, packKey, parseKey } from '../format/keys.ts';
import { createHeldPacks } from './held-packs.ts';
import { listUnder } from './listing.ts';

/** What a destination was found to hold, in bytes by key. Grows with what is copied to it. */
export interface Sizes {
  readonly destination: Destination;
  readonly sizes: SizesByKey;
}

/** As a map of them, but that packs are not held by their keys: there may be a million. */
export interface SizesByKey extends Iterable<readonly [Key, number]> {
  has(key: Key): boolean;
  get(key: Key): number | undefined;
  set(key: Key, sizeBytes: number): void;
  /** Of all but packs. */
  smallKeys(): IteratorObject<Key>;
}

export function createSizes(): SizesByKey {
  const packs = createHeldPacks(createIds());
  const rest = new Map<Key, number>();
  const packOf = (key: Key) => {
    const parsed = parseKey(key);
    return parsed?.type === 'pack' ? parsed.id : undefined;
  };
  const get = (key: Key) => {
    const pack = packOf(key);
    return pack === undefined ? rest.get(key) : packs.get(pack)?.sizeBytes;
  };
  return {
    get,
    has: (key) => get(key) !== undefined,
    set(key, sizeBytes) {
      const pack = packOf(key);
      if (pack === undefined) rest.set(key, sizeBytes);
      else packs.add(pack, { sizeBytes, modifiedMs: 0 });
    },
    smallKeys: () => rest.keys(),
    *[Symbol.iterator]() {
      yield* rest;
      for (const [id, { sizeBytes }] of packs) yield [packKey(id), sizeBytes];
    },
  };
}

/**
 * Records are listed first: whatever one of them needs was stored before it, so it is among the rest, also while somebody
 * writes. Objects that are none of a vault's are left out. `hidden`: also those that a delete marker hides, which takes the
 * permission to list versions.
 */
export async function sizesAt(
  destination: Destination,
  signal: AbortSignal,
  { hidden = false }: { readonly hidden?: boolean } = {},
): Promise<Sizes> {
  const sizes = createSizes();
  for (const folder of [folders.snapshot, '']) {
    for await (const [parsed, { key, sizeBytes }] of listUnder(destination, folder, { signal, plain: !hidden })) {
      // One that was stored since waits for the next listing.
      if (parsed !== undefined && (parsed.type === 'snapshot') === (folder !== '')) sizes.set(key, sizeBytes);
    }
  }
  return { destination, sizes };
}
