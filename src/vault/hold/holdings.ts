import type { Destination, Key } from '../../destinations/destination.ts';
import type { Trace } from '../../destinations/first-version.ts';
import type { Ids } from '../format/ids.ts';
import { packKey, parseKey } from '../format/keys.ts';
import { createHeldPacks, type Held } from './held-packs.ts';
import { listUnder } from './listing.ts';

/** Everything that a destination holds, by key, also what is no object of a vault. */
export interface Holdings {
  readonly size: number;
  has(key: Key): boolean;
  get(key: Key): Trace | undefined;
  /** Of all but packs, each by its own name. */
  smallKeys(): IteratorObject<Key>;
  values(): IteratorObject<Trace>;
  /** The newest time seen: the store's clock shows at least this. 0 where there is nothing. */
  readonly newestMs: number;
}

/**
 * Of packs, of which there may be a million, no more is held than tells the usual one: what is odd about any is held whole.
 * @param ids those in which the packs of restore points are counted
 * @throws what concerns the destination
 */
export async function allAt(destination: Destination, ids: Ids, signal: AbortSignal): Promise<Holdings> {
  const packs = createHeldPacks(ids);
  /** By number of the pack, of its only version. Made for all at once: filled from anywhere, it would be a table of its own. */
  const versions = Array<string | undefined>(ids.size);
  const rest = new Map<Key, Trace>();
  let newestMs = 0;
  for await (const [parsed, trace] of listUnder(destination, '', { signal })) {
    newestMs = Math.max(newestMs, trace.modifiedMs);
    if (parsed?.type !== 'pack' || !isUsual(trace)) {
      rest.set(trace.key, trace);
      continue;
    }
    packs.add(parsed.id, trace);
    const [only] = trace.versions;
    if (only !== undefined) versions[ids.add(parsed.id)] = only.version;
  }
  const traceOf = (id: string, held: Held): Trace => {
    const listed = { key: packKey(id), ...held };
    const version = versions[ids.find(id)!];
    const only = version === undefined ? [] : [{ ...listed, version, isLatest: true, isDeleteMarker: false }];
    return { ...listed, versions: only, hidden: false, markers: [] };
  };
  const packOf = (key: Key) => {
    const parsed = parseKey(key);
    const held = parsed?.type === 'pack' ? packs.get(parsed.id) : undefined;
    return held === undefined || parsed?.type !== 'pack' ? undefined : traceOf(parsed.id, held);
  };
  return {
    size: rest.size + packs.size,
    newestMs,
    smallKeys: () => rest.keys(),
    has: (key) => rest.has(key) || packOf(key) !== undefined,
    get: (key) => rest.get(key) ?? packOf(key),
    *values() {
      yield* rest.values();
      for (const [id, held] of packs) yield traceOf(id, held);
    },
  };
}

/** As it was stored, and nothing was done to it since. */
function isUsual({ versions, hidden, instead }: Trace): boolean {
  return versions.length <= 1 && !hidden && instead === undefined;
}
