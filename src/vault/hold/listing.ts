import type { Destination } from '../../destinations/destination.ts';
import { plainlyUnder, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { folders, type ParsedKey, parseKey } from '../format/keys.ts';

type Type = keyof typeof folders;
type Parsed<Of extends Type> = Extract<ParsedKey, { readonly type: Of }>;

export interface ListingOptions {
  readonly signal?: AbortSignal | undefined;
  /** Without what a delete marker hides: to see that takes the permission to list versions, and not everybody has it. */
  readonly plain?: boolean;
}

/**
 * The objects of these types that a destination holds, folder after folder in the order of `types`, also those that a delete marker
 * hides. What else lies there is left out. @throws what concerns the destination
 * @param under only keys that begin so; all of their folders when absent
 */
export async function* listHeld<Of extends Type>(
  destination: Destination,
  types: readonly Of[],
  { under, ...options }: ListingOptions & { readonly under?: string } = {},
): AsyncGenerator<readonly [Parsed<Of>, Trace]> {
  const isWanted = (parsed: ParsedKey | undefined): parsed is Parsed<Of> => types.some((type) => parsed?.type === type);
  for (const folder of under === undefined ? new Set(types.map((type) => folders[type])) : [under]) {
    for await (const [parsed, trace] of listUnder(destination, folder, options)) {
      if (isWanted(parsed)) yield [parsed, trace];
    }
  }
}

/** All that lies below a folder, also what is no object of a vault: for who looks at so many names and no more, or tells what stands there. */
export async function* listUnder(
  destination: Destination,
  folder: string,
  { signal, plain = false }: ListingOptions = {},
): AsyncGenerator<readonly [ParsedKey | undefined, Trace]> {
  for await (const trace of plain ? plainlyUnder(destination, folder) : tracesUnder(destination, folder)) {
    signal?.throwIfAborted();
    yield [parseKey(trace.key), trace];
  }
}
