import { z } from 'zod';
import { systemClock } from '../core/clock.ts';
import {
  type LedgerObject,
  type LedgerRecord,
  ledgerKey,
  recordHash,
  verifyLedger,
  writerId,
} from '../vault/format/index.ts';
import { isKnownWriter, isOurs, isPruner, mayPrune, type RestorePoint, type Trust } from '../vault/index.ts';
import { dataLost, foldAcceptances } from './acceptances.ts';
import { foldPins, type PinEntry, type PinsFound, pinBodyOf } from './pins.ts';
import { readable } from './read.ts';
import { type Hearing, standingOf } from './standing.ts';
import { mayCallWrong, wrongPacksOf } from './wrong-packs.ts';

const drillBody = z.object({
  drill: z.object({ system: z.string() }),
  scope: z.object({ datasets: z.array(z.object({ dataset: z.string(), restorePoint: z.string().nullable() })) }),
  outcome: z.object({ verdict: z.literal('proved') }),
});

export function settledKey(system: string, dataset: string): string {
  return `${system} ${dataset}`;
}

/** What the ledger says that retention and prune must know. */
export interface PruneLedger extends PinsFound {
  /** Hashes of records that a prune said to remove, or whose absence a person has accepted. */
  readonly removed: ReadonlySet<string>;
  /** Keys under which no record lies, as a person has accepted. */
  readonly junk: ReadonlySet<string>;
  /** Ids of restore points that go before their time. */
  readonly erased: ReadonlySet<string>;
  /** Ids of writers that will not write again, and when that was said. */
  readonly retired: ReadonlyMap<string, number>;
  /** By system and dataset (`settledKey`): the restore points that were proved or accepted, in the order of the entries. */
  readonly settled: ReadonlyMap<string, readonly string[]>;
  /** Packs that are stored wrong, as who reads the vault found, by system. */
  readonly wrong: ReadonlyMap<string, ReadonlySet<string>>;
  /** Keys of pins by nobody who is known: they hold nothing. */
  readonly strangePins: readonly string[];
  /** Entries that are missing from a known writer's chain, by the hash of each: a pin may be among them. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string; readonly missing: string }>;
}

const eraseBody = z.object({ points: z.array(z.string()) });
const pruneBody = z.object({
  removed: z.array(z.string()).default([]),
  retired: z.array(z.string()).default([]),
  junk: z.array(z.string()).default([]),
});

/**
 * Reads the entries in order. What a writer says that is not known counts for nothing, nor what one says of another system's restore
 * points; that something goes may be said by those alone who may prune: whoever takes over a host must not have its backups removed by
 * the pruner's hand. An object that nobody can read, and no chain misses, is anyone's.
 */
export function foldLedger(
  objects: readonly LedgerObject[],
  vault: string,
  trust: Trust,
  points: readonly RestorePoint[],
  nowMs: number = systemClock.now(),
): PruneLedger {
  const systems = systemsOf(points);
  /** What is gone, and what nobody here knows of, is of no system: whoever speaks for any may speak of it. */
  const may = (judge: (system: string) => boolean, of: string, otherwise: boolean) => {
    const system = systems.get(of);
    return system === undefined ? otherwise : judge(system);
  };
  const pinning: PinEntry[] = [];
  const strangePins: string[] = [];
  const removed = new Set<string>();
  const junk = new Set<string>();
  const erased = new Set<string>();
  const retired = new Map<string, number>();
  const wrong = new Map<string, Set<string>>();
  const entries = readableEntries(objects, vault);
  for (const { id, kind, body, time, writer } of entries) {
    if (!isOurs(trust, writer)) {
      if (kind === 'pin' && pinBodyOf(body)?.action === 'pin') strangePins.push(ledgerKey(id));
      continue;
    }
    const decides = (of: string) => may((system) => mayPrune(trust, writer, system), of, isPruner(trust, writer));
    if (kind === 'pin') {
      const pin = pinBodyOf(body);
      const mayPin = (system: string) => isKnownWriter(trust, writer, system) || mayPrune(trust, writer, system);
      if (pin === undefined || !may(mayPin, pin.point, true)) continue;
      pinning.push({ id, body: pin, decides: decides(pin.point) });
    } else if (kind === 'wrong-packs') {
      const said = wrongPacksOf(body);
      if (said === undefined || !mayCallWrong(trust, writer, said.system)) continue;
      wrong.set(said.system, (wrong.get(said.system) ?? new Set()).union(new Set(said.packs)));
    } else if (kind === 'erase') {
      for (const point of eraseBody.safeParse(body).data?.points ?? []) if (decides(point)) erased.add(point);
    } else if (kind === 'prune') {
      const prune = pruneBody.safeParse(body).data;
      for (const hash of prune?.removed ?? []) if (decides(hash)) removed.add(hash);
      if (!isPruner(trust, writer)) continue;
      for (const writer of prune?.retired ?? []) retired.set(writer, Date.parse(time));
      for (const key of prune?.junk ?? []) junk.add(key);
    }
  }
  const known = objects.filter(({ key, bytes }) => {
    const entry = readable(bytes, key);
    return entry !== undefined && isOurs(trust, entry.writer);
  });
  const decides = (writer: string) => isPruner(trust, writer);
  const suspect = verifyLedger(known, { vault, decides }).problems.flatMap(({ key, message, missing }) =>
    missing === undefined || removed.has(missing) ? [] : [{ key, why: message, missing }],
  );
  const settled = settledBy(entries, { vault, trust, nowMs });
  return { ...foldPins(pinning), removed, junk, erased, retired, settled, wrong, strangePins, suspect };
}

/** What drills proved and people accepted, each for its system only. */
function settledBy(
  entries: readonly LedgerRecord[],
  hearing: Omit<Hearing, 'system'>,
): ReadonlyMap<string, readonly string[]> {
  const settled = new Map<string, string[]>();
  const settle = (system: string, dataset: string, point: string) => {
    const key = settledKey(system, dataset);
    const known = settled.get(key);
    if (known === undefined) settled.set(key, [point]);
    else known.push(point);
  };
  // Where nobody's clock is asked, this machine's own tells what is dated ahead.
  const heard = entries.map((record) => ({ record, storedMs: hearing.nowMs }));
  for (const one of heard) {
    const proof = one.record.kind === 'drill' ? drillBody.safeParse(one.record.body).data : undefined;
    if (proof === undefined || standingOf(one, { ...hearing, system: proof.drill.system }) !== 'believed') continue;
    for (const { dataset, restorePoint } of proof.scope.datasets) {
      if (restorePoint !== null) settle(proof.drill.system, dataset, restorePoint);
    }
  }
  // What is accepted until a day is no measure for what is kept.
  for (const one of foldAcceptances(heard, hearing)) {
    if (one.code === dataLost && one.until === null) settle(one.system, one.dataset, one.point);
  }
  return settled;
}

/** By id and by hash of the record. */
function systemsOf(points: readonly RestorePoint[]): ReadonlyMap<string, string> {
  const systems = new Map<string, string>();
  for (const { record, doubts } of points) {
    if (doubts.some(({ code }) => code === 'writer-unknown')) continue;
    systems.set(record.id, record.system);
    systems.set(recordHash(record), record.system);
  }
  return systems;
}

/** Whether it was said that the writer with this id will not write again, and it has not since. */
export function isRetiredWriter({ retired }: PruneLedger, id: string, points: readonly RestorePoint[]): boolean {
  const sinceMs = retired.get(id);
  return (
    sinceMs !== undefined &&
    points.every(({ record, storedMs }) => storedMs <= sinceMs || writerId(record.writer) !== id)
  );
}

export const emptyLedger: PruneLedger = {
  pins: new Map(),
  pinEntries: new Map(),
  removed: new Set(),
  junk: new Set(),
  erased: new Set(),
  retired: new Map(),
  settled: new Map(),
  wrong: new Map(),
  strangePins: [],
  suspect: [],
};

/** Of this vault, oldest first. What cannot be read is told by `suspect`. */
function readableEntries(objects: readonly LedgerObject[], vault: string): LedgerRecord[] {
  const entries: LedgerRecord[] = [];
  for (const { key, bytes } of objects) {
    const entry = readable(bytes, key);
    if (entry?.vault === vault) entries.push(entry);
  }
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1));
}
