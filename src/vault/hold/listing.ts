import type { Destination, Key } from '../../destinations/destination.ts';
import { type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { folders, type ParsedKey, parseKey } from '../format/keys.ts';

type Type = keyof typeof folders;
type Parsed<Of extends Type> = Extract<ParsedKey, { readonly type: Of }>;

export interface ListingOptions {
  /** Only keys that begin so; all of their folders when absent. */
  readonly under?: string;
  readonly signal?: AbortSignal;
}

/**
 * The objects of these types that a destination holds, folder after folder in the order of `types`, also those that a delete marker
 * hides. What else lies there is left out. @throws what concerns the destination
 */
export async function* listHeld<Of extends Type>(
  destination: Destination,
  types: readonly Of[],
  { under, signal }: ListingOptions = {},
): AsyncGenerator<readonly [Parsed<Of>, Trace]> {
  const isWanted = (parsed: ParsedKey | undefined): parsed is Parsed<Of> => types.some((type) => parsed?.type === type);
  for (const folder of under === undefined ? new Set(types.map((type) => folders[type])) : [under]) {
    for await (const [parsed, trace] of listUnder(destination, folder, signal)) {
      if (isWanted(parsed)) yield [parsed, trace];
    }
  }
}

/** All that lies below a folder, also what is no object of a vault: for who looks at so many names and no more, or tells what stands there. */
export async function* listUnder(
  destination: Destination,
  folder: string,
  signal?: AbortSignal,
): AsyncGenerator<readonly [ParsedKey | undefined, Trace]> {
  for await (const trace of tracesUnder(destination, folder)) {
    signal?.throwIfAborted();
    yield [parseKey(trace.key), trace];
  }
}

/** What a destination was found to hold, in bytes by key. Grows with what is copied to it. */
export interface Sizes {
  readonly destination: Destination;
  readonly sizes: Map<Key, number>;
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
  const sizes = new Map<Key, number>();
  for (const prefix of [folders.snapshot, '']) {
    for await (const { key, sizeBytes } of hidden ? tracesUnder(destination, prefix) : destination.list(prefix)) {
      signal.throwIfAborted();
      const parsed = parseKey(key);
      // One that was stored since waits for the next listing.
      if (parsed !== undefined && (parsed.type === 'snapshot') === (prefix !== '')) sizes.set(key, sizeBytes);
    }
  }
  return { destination, sizes };
}
