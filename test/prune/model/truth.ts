import { keepSet, type Retention } from '../../../src/core/retention.ts';
import type { Key } from '../../../src/destinations/destination.ts';
import { createIds } from '../../../src/vault/format/ids.ts';
import { epochKeyKey, type LogSpan, listKey, manifestKey, packKey, parseKey } from '../../../src/vault/format/keys.ts';
import { decodePackList } from '../../../src/vault/format/pack-list.ts';
import { baseOf, decodeRecord, type SnapshotRecord } from '../../../src/vault/format/record.ts';
import { packsOf } from '../../../src/vault/hold/needs.ts';
import { historyName, historyOfSpan } from '../../../src/vault/logs/floors.ts';
import type { ModelPlace, World } from './world.ts';

/** What really happened, seen from beside: the model is compared with this. */
export interface Truth {
  /** What the pruner broke, in words; empty when all is well. */
  readonly broken: string[];
  /** Restore points that honest writers stored at a place, with the true time. */
  readonly stored: Map<string, { readonly record: SnapshotRecord; readonly key: Key; readonly timeMs: number }[]>;
  /** Records that a hostile writer made. `plausible`: nobody can tell them from true ones, so they may take places. */
  readonly forged: Map<Key, { readonly plausible: boolean }>;
  /** Ids of what was pinned. */
  readonly pins: Set<string>;
  /** Pinned while a prune was on its way: it may remove what it had decided. */
  readonly pinnedLate: Set<string>;
  /** By writer, when somebody first signed with its key: of what came later nobody can say who made it. */
  readonly stolenMs: Map<string, number>;
  removals: number;
  /** Of them, of pieces of logs and their covers. */
  logRemovals: number;
  /** And of entries of the ledger. */
  entryRemovals: number;
  /** The keys of what a stored record needs. */
  needsOf(record: SnapshotRecord): Key[];
  /** Looks at everything. */
  check(): Promise<void>;
}

export function watch(world: World, retention: Retention): Truth {
  const firstMs = new Map<Key, number>();
  const lists = new Map<string, Uint8Array>();
  const needsOf = (record: SnapshotRecord) => objectsOf(record, lists);
  /** By place, all pieces of logs, and their covers, that were ever stored there. */
  const logs = new Map(world.places.map(({ name }) => [name, new Map<Key, LogSpan>()]));
  /** Of them, what a restore point needs there. */
  const logsOf = ({ name }: ModelPlace, record: SnapshotRecord): Key[] => {
    const base = baseOf(record);
    const isNeeded = (span: LogSpan) =>
      base !== undefined && historyName(base) === historyOfSpan(span) && base.log < span.end;
    return [...logs.get(name)!].flatMap(([key, span]) => (isNeeded(span) ? [key] : []));
  };
  const truth: Truth = {
    broken: [],
    stored: new Map(),
    forged: new Map(),
    pins: new Set(),
    pinnedLate: new Set(),
    stolenMs: new Map(),
    removals: 0,
    logRemovals: 0,
    entryRemovals: 0,
    needsOf,
    check,
  };
  for (const place of world.places) {
    truth.stored.set(place.name, []);
    const { store } = place;
    const put = store.put.bind(store);
    store.put = async (key, body, options) => {
      const stored = await put(key, body, options);
      const isNew = truth.stored.get(place.name)!.every((one) => one.key !== key);
      const parsed = parseKey(key);
      if (parsed?.type === 'log' || parsed?.type === 'cover') logs.get(place.name)!.set(key, parsed);
      if (parsed?.type === 'list' && !lists.has(parsed.id)) lists.set(parsed.id, body);
      if (parsed?.type === 'snapshot' && isNew) {
        const record = decodeRecord(body);
        if (!firstMs.has(key)) firstMs.set(key, world.capturedMs.get(record.id) ?? world.nowMs);
        truth.stored.get(place.name)?.push({ record, key, timeMs: firstMs.get(key)! });
      }
      return stored;
    };
  }

  /** By each place alone, with true times, without what nobody would believe. */
  function keptAt(place: ModelPlace): { record: SnapshotRecord; key: Key }[] {
    const believable = truth.stored.get(place.name)!.filter(({ key }) => truth.forged.get(key)?.plausible !== false);
    const datasets = new Set(believable.map(({ record }) => record.dataset));
    const kept = [...datasets].flatMap((dataset) =>
      keepSet(
        believable.filter(({ record }) => record.dataset === dataset),
        retention,
        Number.POSITIVE_INFINITY,
      ).filter(
        ({ point, keep }) => keep || (truth.pins.has(point.record.id) && !truth.pinnedLate.has(point.record.id)),
      ),
    );
    return kept
      .map(({ point }) => point)
      .filter(({ key, record, timeMs }) => {
        const stolenMs = truth.stolenMs.get(record.writer) ?? Number.POSITIVE_INFINITY;
        return !truth.forged.has(key) && timeMs < stolenMs;
      });
  }

  async function isThere(place: ModelPlace, key: Key): Promise<boolean> {
    const { history } = place.store;
    if (history !== undefined) return (await history.versionsOf(key)).some(({ isDeleteMarker }) => !isDeleteMarker);
    return place.store.stat(key).then(
      () => true,
      () => false,
    );
  }

  async function check(): Promise<void> {
    for (const place of world.places) {
      for (const { key, record } of keptAt(place)) {
        for (const needed of [key, ...needsOf(record), ...logsOf(place, record)]) {
          if (!(await isThere(place, needed))) truth.broken.push(`${place.name} lost ${needed}, which ${key} needs`);
        }
      }
      // A record whose objects are gone must not be listed as if it could be restored.
      for (const { key, record } of truth.stored.get(place.name)!) {
        if (truth.forged.has(key) || !(await isThere(place, key))) continue;
        for (const needed of [...needsOf(record), ...logsOf(place, record)]) {
          if (!(await isThere(place, needed))) truth.broken.push(`${place.name} lists ${key} without ${needed}`);
        }
      }
    }
  }

  world.onRemoved = async (place, key, by) => {
    const type = parseKey(key)?.type;
    if (by !== 'pruner' || type === 'generation') return;
    truth.removals++;
    if (type === 'log' || type === 'cover') truth.logRemovals++;
    if (type === 'ledger') truth.entryRemovals++;
    for (const other of world.places) {
      for (const kept of keptAt(other)) {
        // One that this place was never given, or that it keeps by itself.
        const isOurs = other === place || !truth.stored.get(place.name)!.some((one) => one.key === kept.key);
        const needs =
          kept.key === key
            ? other === place
            : isOurs && [...needsOf(kept.record), ...logsOf(place, kept.record)].includes(key);
        if (needs && !(await isThere(place, key))) {
          truth.broken.push(`${key} was removed at ${place.name}; ${kept.key} at ${other.name} needs it`);
        }
      }
    }
  };
  return truth;
}

/** By the lists as they were stored, whatever became of them. A forged record names some that never were. */
function objectsOf({ manifest, lists, keys }: SnapshotRecord, stored: ReadonlyMap<string, Uint8Array>): Key[] {
  const ids = createIds();
  const parts = lists.flatMap(([id]) => (stored.has(id) ? decodePackList(stored.get(id)!, ids) : []));
  const packs = [...packsOf(ids, parts)].map(([pack]) => packKey(pack));
  const epochs = keys.map(([epoch, id]) => epochKeyKey(epoch, id));
  return [manifestKey(manifest[0]), ...epochs, ...lists.map(([id]) => listKey(id)), ...packs];
}
