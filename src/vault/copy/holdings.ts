import type { Destination, Key } from '../../destinations/destination.ts';
import { tracesUnder } from '../../destinations/first-version.ts';
import { parseKey } from '../format/keys.ts';

/** What a destination was found to hold, in bytes by key. Grows with what is copied to it. */
export interface Holdings {
  readonly destination: Destination;
  readonly sizes: Map<Key, number>;
}

/**
 * Records are listed first: whatever one of them needs was stored before it, so it is among the rest, also while somebody
 * writes. Objects that are none of a vault's are left out. `hidden`: also those that a delete marker hides, which takes the
 * permission to list versions.
 */
export async function holdingsOf(
  destination: Destination,
  signal: AbortSignal,
  { hidden = false }: { readonly hidden?: boolean } = {},
): Promise<Holdings> {
  const sizes = new Map<Key, number>();
  const under = (prefix: string) => (hidden ? tracesUnder(destination, prefix) : destination.list(prefix));
  for await (const { key, sizeBytes } of under('snapshots/')) {
    signal.throwIfAborted();
    if (parseKey(key)?.type === 'snapshot') sizes.set(key, sizeBytes);
  }
  for await (const { key, sizeBytes } of under('')) {
    signal.throwIfAborted();
    const parsed = parseKey(key);
    if (parsed !== undefined && parsed.type !== 'snapshot') sizes.set(key, sizeBytes);
  }
  return { destination, sizes };
}
