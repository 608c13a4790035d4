import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { isOfTheDestination } from '../../destinations/errors.ts';
import { withinBounds } from '../ahead.ts';
import { formatNewer } from '../format/errors.ts';
import type { Ids } from '../format/ids.ts';
import { Foreign, type Listed, plausible, readBelieved } from '../generations/index.ts';
import { createHeldPacks, type Held, type HeldPacks } from '../hold/held-packs.ts';
import { createIdSet, type SomeIds } from '../hold/id-set.ts';
import { listHeld } from '../hold/listing.ts';
import { type Floors, floorsOf } from '../logs/floors.ts';
import { mayPrune, type Trust } from '../trust.ts';
import type { Suspect } from '../vault.ts';
import type { HeldLog } from './logs.ts';

/** Of generations: strangers may have put any number there. */
const readBounds = { items: 16, bytes: 16 * 1024 * 1024 };

/** A generation as one destination holds it. */
export interface HeldGeneration {
  readonly storedMs: number;
  readonly tombstones: SomeIds;
  readonly sparse: SomeIds;
  /** Of the systems that its signer may prune. */
  readonly floors: Floors;
  /** Whether its signer may prune that system. */
  readonly speaksFor: (system: string) => boolean;
}

/** What one destination holds, as far as a prune must know. */
export interface Place {
  readonly destination: Destination;
  /** By id. */
  readonly packs: HeldPacks;
  readonly manifests: ReadonlyMap<string, Held>;
  readonly lists: ReadonlyMap<string, Held>;
  /** No prune removes them. Who counts on a restore point asks for them. */
  readonly epochKeys: ReadonlyMap<string, Held>;
  readonly logs: ReadonlyMap<Key, HeldLog>;
  readonly records: ReadonlyMap<Key, Held>;
  /** Records that were there before the packs were listed: what those need and the listing lacks is really missing. */
  readonly early: ReadonlySet<Key>;
  /** By number. */
  readonly generations: ReadonlyMap<number, HeldGeneration>;
  /** Numbers under which something else lies: damaged, by somebody who may not prune, or too high to be true. */
  readonly taken: ReadonlySet<number>;
  /** Index deltas by their writers' ids. */
  readonly indexes: ReadonlyMap<string, readonly Key[]>;
  /** The newest time seen: the store's clock shows at least this. */
  readonly nowMs: number;
}

/** A place whose packs, manifests and lists are listed and nothing else yet. */
export interface Listing {
  readonly destination: Destination;
  readonly early: Set<Key>;
  readonly packs: HeldPacks;
  readonly manifests: Map<string, Held>;
  readonly lists: Map<string, Held>;
  readonly epochKeys: Map<string, Held>;
  readonly logs: Map<Key, HeldLog>;
  nowMs: number;
}

/**
 * Packs before records: whatever is committed meanwhile is seen with its record, or is not listed at all.
 * @param ids those in which the packs of restore points are counted
 */
export async function listPacks(destination: Destination, ids: Ids, run: Run): Promise<Listing> {
  const early = new Set<Key>();
  for await (const [, { key }] of listHeld(destination, ['snapshot'])) early.add(key);
  const packs = createHeldPacks(ids);
  const byId = () => new Map<string, Held>();
  const [manifests, lists, epochKeys, logs] = [byId(), byId(), byId(), new Map<Key, HeldLog>()];
  const listing: Listing = { destination, early, packs, manifests, lists, epochKeys, logs, nowMs: 0 };
  const types = ['pack', 'manifest', 'list', 'epoch-key', 'log', 'cover'] as const;
  for await (const [parsed, { key, sizeBytes, modifiedMs }] of listHeld(destination, types, run)) {
    const held = { sizeBytes, modifiedMs };
    if (parsed.type === 'log' || parsed.type === 'cover') logs.set(key, { ...held, span: parsed });
    else if (parsed.type === 'pack') packs.add(parsed.id, held);
    else ({ manifest: manifests, list: lists, 'epoch-key': epochKeys })[parsed.type].set(parsed.id, held);
    listing.nowMs = Math.max(listing.nowMs, modifiedMs);
  }
  return listing;
}

export interface RestRequest {
  readonly vault: string;
  readonly trust: Trust;
  /** Those in which the packs of restore points are counted. */
  readonly ids: Ids;
  readonly damaged: (found: Suspect) => void;
  readonly run: Run;
}

/** The rest. A generation that is damaged is told to `damaged`; nothing is removed for what it may have said. */
export async function listRest(
  { nowMs: startMs, ...listing }: Listing,
  { vault, trust, ids, damaged, run }: RestRequest,
): Promise<Place> {
  const { destination } = listing;
  let nowMs = startMs;
  const records = new Map<Key, Held>();
  const indexes = new Map<string, Key[]>();
  const listed: Listed[] = [];
  for await (const [parsed, trace] of listHeld(destination, ['snapshot', 'index', 'generation'], run)) {
    const { key, sizeBytes, modifiedMs } = trace;
    nowMs = Math.max(nowMs, modifiedMs);
    if (parsed.type === 'snapshot') records.set(key, { sizeBytes, modifiedMs });
    else if (parsed.type === 'generation') listed.push([parsed.generation, trace]);
    else if (indexes.has(parsed.writer)) indexes.get(parsed.writer)!.push(key);
    else indexes.set(parsed.writer, [key]);
  }
  const generations = new Map<number, HeldGeneration>();
  const taken = new Set<number>();
  await withinBounds(
    listed,
    ([, { sizeBytes }]) => sizeBytes,
    readBounds,
    async ([number, trace]) => {
      run.signal.throwIfAborted();
      try {
        const { value } = await readBelieved(destination, trace, number, { vault, trust });
        const { tombstones, sparse, logs = [], writer } = value;
        const speaksFor = (system: string) => mayPrune(trust, writer, system);
        generations.set(number, {
          storedMs: trace.modifiedMs,
          tombstones: createIdSet(ids, tombstones),
          sparse: createIdSet(ids, sparse),
          floors: floorsOf(logs.filter(([system]) => speaksFor(system))),
          speaksFor,
        });
      } catch (error) {
        if (isOfTheDestination(error)) throw error;
        taken.add(number);
        if (error instanceof Foreign) return;
        const why = `in ${destination.name}: ${sentenceOf(error)}`;
        damaged({ key: trace.key, why, ...(formatNewer.is(error) && { newer: true }) });
      }
    },
  );
  const sound = plausible(generations.keys());
  for (const number of generations.keys()) {
    if (sound.has(number)) continue;
    generations.delete(number);
    taken.add(number);
  }
  return { ...listing, records, generations, taken, indexes, nowMs };
}
