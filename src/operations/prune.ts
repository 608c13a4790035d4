import { breathe } from '../core/breathe.ts';
import type { LifeboatError } from '../core/errors.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import { inState } from '../host/state-names.ts';
import { nextCheckpoint, passedEntries, removeEntries, usualCheckpoints } from '../ledger/checkpoint.ts';
import { freedBy, pruneFlood, type RetentionPlan } from '../retention/index.ts';
import type { LedgerObject } from '../vault/format/index.ts';
import type { SomeIds } from '../vault/hold/index.ts';
import type { RestorePoint, Suspect, VaultReader } from '../vault/index.ts';
import {
  type LockedNow,
  lockedNow,
  type Place,
  type Pruned,
  type PruneFacts,
  planSweep,
  pruneVault,
  removeDeadIndexes,
  type SweepPlan,
  type Swept,
} from '../vault/prune/index.ts';
import { writerKeys } from '../vault/writer/index.ts';
import { keepBeforePrune } from './keep.ts';
import { trustToRemove } from './known-writers.ts';
import { noteInLedger } from './note-in-ledger.ts';
import { idOf } from './prune-facts.ts';
import { type PlannedPrune, type PruneRequest, planned } from './prune-plan.ts';
import type { Strangers } from './prune-strangers.ts';
import type { OpenSystem } from './system.ts';

/** What happens, or would happen, at one destination. */
export interface PlacePrune {
  readonly destination: string;
  /** What may go now. */
  readonly goes: { readonly records: number; readonly objects: number; readonly bytes: number };
  /** What is marked and waits. */
  readonly waits: { readonly objects: number; readonly bytes: number };
  readonly graceUntilMs?: number;
  /** Ids of writers that have to back up first. */
  readonly writers: readonly string[];
  /** Of what may go, what locks hold now; only in a dry run. */
  readonly locked?: LockedNow;
  /** What was really removed; absent in a dry run. */
  readonly swept?: Swept;
}

export interface PruneOutcome {
  readonly vault: string;
  readonly plan: RetentionPlan;
  /** In the end. */
  readonly frees: ReturnType<typeof freedBy>;
  readonly suspect: readonly Suspect[];
  readonly places: readonly PlacePrune[];
  readonly outOfReach: readonly string[];
  /** Records by nobody who is known, and what stays only because they name it. */
  readonly strangers: Strangers;
  /** Newly marked or marked before and not gone yet, over all places. */
  readonly marked: number;
  readonly withdrawn: readonly RestorePoint[];
  readonly sparse: number;
  /** What stops a prune with the same flags; in a dry run. */
  readonly brakes: readonly LifeboatError[];
  /** Absent in a dry run. */
  readonly generation?: number;
}

/**
 * Marks what retention drops and removes what was marked before and may go now. Stopped at any moment, the next run goes on.
 * @throws `prune-suspect`, `prune-newer`, `prune-too-large`, `prune-flood`, `prune-met`, `prune-unwritten`
 */
export async function prune(system: OpenSystem, request: PruneRequest, run: Run): Promise<PruneOutcome> {
  const found = await planned(system, request, run);
  await breathe(run.signal);
  if (request.dryRun) return { ...outcomeOf(found), ...(await rehearsed(found, request, run)) };

  await keepBeforePrune(system, run);
  const flood = found.brakes.find(pruneFlood.is);
  if (flood !== undefined) throw flood;
  return {
    ...outcomeOf(found),
    suspect: [],
    places: await executed(system, found, request, run),
    generation: found.plan.generation,
  };
}

function outcomeOf({ vault, survey, retention, outOfReach, strangers, plan: { marks } }: PlannedPrune) {
  const withdrawn = new Set(marks.withdrawn.map(({ key }) => key));
  return {
    vault: vault.id,
    plan: retention,
    frees: freedBy(survey.points, retention.kept),
    outOfReach,
    strangers,
    marked: marks.tombstones.size,
    withdrawn: survey.points.filter(({ key }) => withdrawn.has(key)),
    sparse: marks.sparse.size,
    brakes: [],
  };
}

/** What the plan comes to, with what is locked now and what would stop it. */
async function rehearsed({ plan, suspect, brakes }: PlannedPrune, { allowMissing }: PruneRequest, run: Run) {
  const missing = allowMissing ? [] : plan.gaps.map(({ key }) => ({ key, why: 'the record before it is missing' }));
  const places: PlacePrune[] = [];
  for (const place of plan.facts.places) {
    await breathe(run.signal);
    const sweep = planSweep(plan, place, place.nowMs);
    const locked = await run.step(`locks at ${place.destination.name}`, (run) => lockedNow(place, sweep, run));
    places.push({ ...placePrune(place, sweep, plan.marks.tombstones), locked });
  }
  return { suspect: [...suspect, ...missing], places, brakes };
}

async function executed(
  system: OpenSystem,
  found: PlannedPrune,
  request: PruneRequest,
  run: Run,
): Promise<PlacePrune[]> {
  const { vault, plan, suspect, outOfReach, ledger, objects, brakes } = found;
  const { facts, marks, generation } = plan;
  const keys = await writerKeys(inState(system.config.stateDir, 'writerKeys'), vault.id, system.random);
  const pruned = await pruneVault(
    {
      vault: vault.id,
      plan,
      suspect,
      signingKey: keys.signingKey,
      async beforeMarking() {
        if (brakes[0] !== undefined) throw brakes[0];
        await noteMarks(system, found, request, run);
      },
    },
    run,
  );
  const swept = goneEverywhere(facts, pruned);
  if (swept.size > 0) {
    const indexes = { places: facts.places, swept, writer: keys.writer, identity: keys.indexIdentity };
    await run.step('index', (run) => removeDeadIndexes({ ...indexes, turn: generation }, run));
  }
  await noteRemoved(system, vault.id, generation, pruned, run);
  if (outOfReach.length === 0 && ledger.suspect.length === 0)
    await checkpoint(system, vault, facts.places, objects, run);
  return pruned.plans.map(({ destination, plan: sweep }) => {
    const place = facts.places.find((one) => one.destination.name === destination)!;
    const swept = pruned.swept.find((one) => one.destination === destination);
    return { ...placePrune(place, sweep, marks.tombstones), ...(swept && { swept }) };
  });
}

/** Which restore points go is in the ledger before anything is marked. */
async function noteMarks(
  system: OpenSystem,
  { vault, plan: { marks, generation }, accepted: { missing, junk }, ledger }: PlannedPrune,
  { retire }: PruneRequest,
  run: Run,
): Promise<void> {
  const fresh = marks.withdrawn.map(({ hash }) => hash).filter((hash) => !ledger.removed.has(hash));
  const removed = [...fresh, ...missing];
  if (removed.length === 0 && junk.length === 0 && retire.length === 0) return;
  const body = { step: 'mark', generation, removed, retired: retire.map(idOf), junk };
  await noteInLedger(system, vault.id, { kind: 'prune', body }, run);
}

function placePrune(place: Place, plan: SweepPlan, tombstones: SomeIds): PlacePrune {
  const { packs, manifests, lists } = place;
  const heldAs = (id: string) => packs.get(id) ?? manifests.get(id) ?? lists.get(id);
  const going = [...plan.manifests, ...plan.lists, ...plan.packs];
  const all = [...going.map(heldAs), ...plan.logs.map((key) => place.logs.get(key))];
  let [marked, markedBytes] = [0, 0];
  for (const id of tombstones) {
    const held = heldAs(id);
    if (held === undefined) continue;
    marked++;
    markedBytes += held.sizeBytes;
  }
  const { graceUntilMs, writers } = plan.waiting;
  return {
    destination: place.destination.name,
    goes: { records: plan.records.length, objects: all.length, bytes: bytesOf(all) },
    waits: {
      objects: Math.max(0, marked - going.length),
      bytes: Math.max(0, markedBytes - bytesOf(going.map(heldAs))),
    },
    ...(graceUntilMs !== undefined && { graceUntilMs }),
    writers,
  };
}

function bytesOf(all: ReadonlyArray<{ readonly sizeBytes: number } | undefined>): number {
  return all.reduce((sum, held) => sum + (held?.sizeBytes ?? 0), 0);
}

/** Ids of the packs that this run removed from every place that held them; none when it did not come through everywhere. */
function goneEverywhere({ places, outOfReach }: PruneFacts, { plans, swept }: Pruned): Set<string> {
  const isThrough = swept.every(({ failed, locked }) => failed === undefined && locked.objects === 0);
  if (outOfReach.length > 0 || plans.length < places.length || !isThrough) return new Set();
  const gone = new Map(plans.map(({ destination, plan }) => [destination, new Set(plan.packs)]));
  const isGone = (id: string) =>
    places.every(({ packs, destination }) => !packs.has(id) || gone.get(destination.name)?.has(id) === true);
  return new Set(plans.flatMap(({ plan }) => plan.packs).filter(isGone));
}

/**
 * Where the ledger is whole and every place can be asked: says what of it nothing rests on any more, and removes what an earlier prune said
 * so of. What fails is tried again with the next.
 */
async function checkpoint(
  system: OpenSystem,
  vault: VaultReader,
  places: readonly Place[],
  objects: readonly LedgerObject[],
  run: Run,
): Promise<void> {
  const trust = trustToRemove(system.config, vault);
  const judging = { vault: vault.id, trust, nowMs: Math.min(...places.map(({ nowMs }) => nowMs)) };
  try {
    const going = passedEntries(objects, judging);
    if (going.length > 0) await run.step('ledger', (run) => removeEntries(places, going, run));
    const chains = nextCheckpoint(objects, judging, usualCheckpoints);
    if (chains.length > 0) await noteInLedger(system, vault.id, { kind: 'checkpoint', body: { chains } }, run);
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({ code: 'checkpoint-failed', message: `The ledger stays as long as it is: ${sentenceOf(error)}` });
  }
}

/** Counts only: which restore points went was noted before. */
async function noteRemoved(
  system: OpenSystem,
  vault: string,
  generation: number,
  { swept }: Pruned,
  run: Run,
): Promise<void> {
  if (swept.every(({ objects }) => objects === 0)) return;
  const destinations = Object.fromEntries(
    swept.map(({ destination, records, objects, bytes }) => [destination, { records, objects, bytes }]),
  );
  await noteInLedger(system, vault, { kind: 'prune', body: { step: 'sweep', generation, destinations } }, run);
}
