import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { firstSound, type Trace, tracesUnder } from '../../destinations/first-version.ts';
import { parseKey } from '../format/keys.ts';
import type { Trust } from '../trust.ts';
import { believed, isOfTheDestination } from './view.ts';

/** The first version of an object, by the store's clock: later ones and delete markers say nothing about it. */
export interface Held {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** A generation as one destination holds it. */
export interface HeldGeneration {
  readonly storedMs: number;
  readonly tombstones: ReadonlySet<string>;
  readonly sparse: ReadonlySet<string>;
}

/** What one destination holds, as far as a prune must know. */
export interface Place {
  readonly destination: Destination;
  /** By id. */
  readonly packs: ReadonlyMap<string, Held>;
  readonly manifests: ReadonlyMap<string, Held>;
  readonly records: ReadonlyMap<Key, Held>;
  /** Records that were there before the packs were listed: what those need and the listing lacks is really missing. */
  readonly early: ReadonlySet<Key>;
  /** By number. */
  readonly generations: ReadonlyMap<number, HeldGeneration>;
  /** Index deltas by their writers' ids. */
  readonly indexes: ReadonlyMap<string, readonly Key[]>;
  /** The newest time seen: the store's clock shows at least this. */
  readonly nowMs: number;
}

/** A place whose packs and manifests are listed and nothing else yet. */
export interface Listing {
  readonly destination: Destination;
  readonly early: Set<Key>;
  readonly packs: Map<string, Held>;
  readonly manifests: Map<string, Held>;
  nowMs: number;
}

/** Packs before records: whatever is committed meanwhile is seen with its record, or is not listed at all. */
export async function listPacks(destination: Destination, run: Run): Promise<Listing> {
  const early = new Set<Key>();
  for await (const { key } of tracesUnder(destination, 'snapshots/')) early.add(key);
  const listing: Listing = { destination, early, packs: new Map(), manifests: new Map(), nowMs: 0 };
  for (const prefix of ['packs/', 'manifests/']) {
    for await (const { key, sizeBytes, modifiedMs } of tracesUnder(destination, prefix)) {
      run.signal.throwIfAborted();
      const parsed = parseKey(key);
      if (parsed?.type !== 'pack' && parsed?.type !== 'manifest') continue;
      const into = parsed.type === 'pack' ? listing.packs : listing.manifests;
      into.set(parsed.id, { sizeBytes, modifiedMs });
      listing.nowMs = Math.max(listing.nowMs, modifiedMs);
    }
  }
  return listing;
}

export interface Suspect {
  readonly key: Key;
  readonly why: string;
}

/** The rest. A generation that cannot be read or believed is told to `suspect`. */
export async function listRest(
  { destination, early, packs, manifests, nowMs: startMs }: Listing,
  { vault, trust, suspect, run }: { vault: string; trust: Trust; suspect: (found: Suspect) => void; run: Run },
): Promise<Place> {
  let nowMs = startMs;
  const under = async function* (prefix: string): AsyncGenerator<Trace> {
    for await (const trace of tracesUnder(destination, prefix)) {
      run.signal.throwIfAborted();
      nowMs = Math.max(nowMs, trace.modifiedMs);
      yield trace;
    }
  };
  const records = new Map<Key, Held>();
  for await (const { key, sizeBytes, modifiedMs } of under('snapshots/')) {
    if (parseKey(key)?.type === 'snapshot') records.set(key, { sizeBytes, modifiedMs });
  }
  const indexes = new Map<string, Key[]>();
  for await (const { key } of under('index/')) {
    const parsed = parseKey(key);
    if (parsed?.type === 'index') indexes.set(parsed.writer, [...(indexes.get(parsed.writer) ?? []), key]);
  }
  const generations = new Map<number, HeldGeneration>();
  for (const trace of await Array.fromAsync(under('gc/'))) {
    const parsed = parseKey(trace.key);
    if (parsed?.type !== 'generation') continue;
    try {
      const { generation } = parsed;
      const { value } = await firstSound(destination, trace, (bytes) => believed(bytes, vault, generation, trust));
      const { tombstones, sparse } = value;
      generations.set(generation, {
        storedMs: trace.modifiedMs,
        tombstones: new Set(tombstones),
        sparse: new Set(sparse),
      });
    } catch (error) {
      if (isOfTheDestination(error)) throw error;
      suspect({ key: trace.key, why: `in ${destination.name}: ${sentenceOf(error)}` });
    }
  }
  return { destination, early, packs, manifests, records, generations, indexes, nowMs };
}
