import { isRetiredWriter, type PruneLedger } from '../ledger/decisions.ts';
import type { RetentionPlan } from '../retention/index.ts';
import { writerId } from '../vault/format/index.ts';
import { namedByRecord, type WithNeeds } from '../vault/hold/index.ts';
import { knownById, type RestorePoint, type Trust } from '../vault/index.ts';
import { type LogFacts, type Place, type PruneFacts, prunePointOf } from '../vault/prune/index.ts';

interface FactParts {
  readonly places: readonly Place[];
  readonly outOfReach: readonly string[];
  readonly points: ReadonlyArray<WithNeeds<RestorePoint>>;
  readonly trust: Trust;
  readonly plan: RetentionPlan;
  readonly ledger: PruneLedger;
  /** Writers that are retired now, by id or public key. */
  readonly retire: readonly string[];
  readonly sparse: ReadonlySet<string>;
  readonly covers: LogFacts['covers'];
  /** Of which this prune decides about logs. */
  readonly system: string;
}

export function factsOf(parts: FactParts): PruneFacts {
  const { places, outOfReach, points, trust, plan, ledger, retire, sparse, covers, system } = parts;
  const isKnown = knownById(trust);
  const given = retire.map(idOf);
  const writers = new Set([
    ...points.map(({ record }) => writerId(record.writer)),
    ...places.flatMap(({ indexes }) => [...indexes.keys()]),
  ]);
  const retired = [...writers].filter((id) => given.includes(id) || isRetiredWriter(ledger, id, points));
  return {
    places,
    outOfReach,
    points: points.map(prunePointOf),
    kept: plan.kept,
    pinned: plan.pinned,
    sparse,
    removed: ledger.removed,
    retired: new Set(retired),
    decides: (of) => of === system,
    logs: { covers, mayLetGo: (of, writer) => of === system && isKnown(writer, of) },
    ...(trust.writers && { known: new Set([...trust.writers.keys()].map(writerId)) }),
  };
}

/** A writer's id, from itself or from its public key. */
export function idOf(writer: string): string {
  return /^[0-9a-f]{32}$/.test(writer) ? writer : writerId(writer);
}

/**
 * The places that hold everything that a restore point needs, as far as a listing tells: of a record that came after the
 * packs were listed it tells nothing, and it passes for whole.
 */
export function wholeAt(places: readonly Place[], { key, needs, destinations }: WithNeeds<RestorePoint>): string[] {
  return places
    .filter(
      ({ early, records, manifests, lists, epochKeys, packs, destination }) =>
        (records.has(key) || destinations.includes(destination.name)) &&
        (!early.has(key) ||
          (namedByRecord(needs).every(
            ([, sizeBytes, id]) => (manifests.get(id) ?? lists.get(id) ?? epochKeys.get(id))?.sizeBytes === sizeBytes,
          ) &&
            packs.hasAllOf(needs.packs))),
    )
    .map(({ destination }) => destination.name);
}

/** When the first of these places got its record. */
export function firstStoredMs(places: readonly Place[], { key }: RestorePoint): number | undefined {
  const times = places.flatMap(({ records }) => records.get(key)?.modifiedMs ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}
