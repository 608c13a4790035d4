import { join } from 'node:path';
import type { System } from '../config/system.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import type { Destination } from '../destinations/destination.ts';
import { nextCheckpoint, passedEntries, removeEntries, usualCheckpoints } from '../ledger/checkpoint.ts';
import { foldLedger } from '../ledger/decisions.ts';
import { readLedger } from '../ledger/read.ts';
import { freedBy, lastPruneMs, planFor, type RetentionPlan, refuseFlood, refuseLarge } from '../retention/index.ts';
import type { LedgerObject } from '../vault/format/ledger.ts';
import type { SomeIds } from '../vault/id-set.ts';
import { openVault } from '../vault/open.ts';
import { decideMarks, decideSweep, type PruneFacts, type SweepPlan } from '../vault/prune/decide.ts';
import { pruneUnwritten } from '../vault/prune/errors.ts';
import { removeDeadIndexes } from '../vault/prune/indexes.ts';
import { type LockedNow, lockedNow } from '../vault/prune/locked.ts';
import type { Place } from '../vault/prune/place.ts';
import { type Pruned, pruneVault, refuseNewer, surveyVault, unexplainedGaps } from '../vault/prune/prune.ts';
import { sparsePacks } from '../vault/prune/sparse.ts';
import type { Swept } from '../vault/prune/sweep.ts';
import { isOurs, isStrange } from '../vault/trust.ts';
import type { RestorePoint, Suspect, VaultReader } from '../vault/vault.ts';
import { writerKeys } from '../vault/writer-keys.ts';
import { keepBeforePrune } from './keep.ts';
import { meetWriters, trustOf, trustToRemove } from './known-writers.ts';
import { noteInLedger } from './note-in-ledger.ts';
import { acceptedOf, notAccepted, nothingAccepted } from './prune-accepted.ts';
import { factsOf, firstStoredMs, idOf, wholeAt } from './prune-facts.ts';
import { type Strangers, strangersOf, strangersText } from './prune-strangers.ts';
import type { OpenSystem } from './system.ts';

export interface PruneRequest {
  readonly dryRun: boolean;
  /** Remove more than a fifth at once. */
  readonly allowLarge: boolean;
  readonly allowFlood: boolean;
  /** Accept that records are missing, or that what lies in their place is none, and name that in the ledger: it is never asked for again. */
  readonly allowMissing: boolean;
  /** Writers (public keys, or their ids) that will never write again. */
  readonly retire: readonly string[];
}

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
  /** Absent in a dry run. */
  readonly generation?: number;
}

/**
 * Marks what retention drops and removes what was marked before and may go now. Stopped at any moment, the next run goes on.
 * @throws `prune-suspect`, `prune-newer`, `prune-too-large`, `prune-flood`, `prune-met`, `prune-unwritten`
 */
export async function prune(system: OpenSystem, request: PruneRequest, run: Run): Promise<PruneOutcome> {
  const { opened, failed } = await system.destinations({ create: false, role: 'pruner' });
  for (const { error } of failed) run.problem({ code: 'destination-failed', message: sentenceOf(error) });
  if (opened.length === 0 && failed[0] !== undefined) throw failed[0].error;
  const { config } = system;
  const vault = await openKnown(config, opened);
  const { trust } = vault;
  const { ledger, objects, unread, unlisted } = await run.step('ledger', (run) => ledgerOf(config, vault, opened, run));
  // What only such a place says of pins is not known: it is as good as away.
  const destinations = vault.destinations.filter(({ name }) => !unlisted.includes(name));
  const survey = await run.step('survey', (run) => surveyVault({ vault, destinations, trust }, run));
  if (survey.places.length === 0) throw pruneUnwritten({ why: 'none could be read.' });
  refuseNewer([...survey.suspect, ...survey.damaged]);

  const away = opened.filter(({ name }) => !destinations.some((one) => one.name === name)).map(({ name }) => name);
  const outOfReach = [...failed.map(({ name }) => name), ...away, ...survey.outOfReach];
  const whole = new Map(survey.points.map((point) => [point.key, wholeAt(survey.places, point)]));
  const plan = planFor(config, survey, {
    ledger,
    wholeAt: ({ key }) => whole.get(key) ?? [],
    firstStoredMs: (point) => firstStoredMs(survey.places, point),
    nowMs: Math.min(...survey.places.map(({ nowMs }) => nowMs)),
  });
  // Whatever becomes of the ledger at a place, a generation tells its writers.
  const wrong = ledger.wrong.get(config.name) ?? new Set();
  const sparse = await run.step('sparse packs', async () => sparsePacks(config.stateDir).union(wrong));
  const facts = factsOf({
    ...survey,
    trust,
    outOfReach,
    plan,
    ledger,
    retire: request.retire,
    sparse,
    system: config.name,
  });
  const gaps = unexplainedGaps(facts);
  const fresh = notAccepted(survey.suspect, ledger, run);
  const accepted = request.allowMissing ? acceptedOf(facts, fresh, ledger) : nothingAccepted;
  const settled: PruneFacts = { ...facts, removed: facts.removed.union(accepted.missing) };
  tellDamaged(survey.damaged, run);
  const suspect = [...unread, ...(request.allowMissing ? [] : [...fresh, ...ledger.suspect])];
  if (ledger.strangePins.length > 0) {
    const pins = countOf(ledger.strangePins.length, 'pin');
    const message = `${pins} signed by nobody who is known hold nothing, the first ${ledger.strangePins[0]}. If that is a machine of yours, name its key in vault.writers.`;
    run.problem({ code: 'pin-strange', message });
  }
  const strangers = strangersOf(survey.points, survey.places);
  if (strangers.records > 0) run.problem({ code: 'strangers-kept', message: strangersText(strangers) });
  const marks = decideMarks(settled);
  const withdrawn = new Set(marks.withdrawn.map(({ key }) => key));
  const found = {
    vault: vault.id,
    plan,
    frees: freedBy(survey.points, plan.kept),
    outOfReach,
    strangers,
    marked: marks.tombstones.size,
    withdrawn: survey.points.filter(({ key }) => withdrawn.has(key)),
    sparse: marks.sparse.size,
  };
  if (request.dryRun) {
    const missing = request.allowMissing
      ? []
      : gaps.map(({ key }) => ({ key, why: 'the record before it is missing' }));
    const places: PlacePrune[] = [];
    for (const place of settled.places) {
      const sweep = decideSweep(settled, place, place.nowMs);
      const locked = await run.step(`locks at ${place.destination.name}`, (run) => lockedNow(place, sweep, run));
      places.push({ ...placePrune(place, sweep, marks.tombstones), locked });
    }
    return { ...found, suspect: [...suspect, ...missing], places };
  }

  await keepBeforePrune(system, run);
  if (!request.allowFlood) refuseFlood(config, survey.points, lastPruneMs(survey.places));
  const keys = await writerKeys(join(config.stateDir, 'writer.json'), vault.id, system.random);
  const pruned = await pruneVault(
    {
      vault: vault.id,
      facts: settled,
      suspect,
      signingKey: keys.signingKey,
      async beforeMarking(_, generation) {
        if (!request.allowLarge)
          refuseLarge(
            config,
            settled,
            marks,
            survey.points.filter((point) => !isStrange(point)),
          );
        const removed = [
          ...marks.withdrawn.map(({ hash }) => hash).filter((hash) => !ledger.removed.has(hash)),
          ...accepted.missing,
        ];
        const { junk } = accepted;
        if (removed.length === 0 && junk.length === 0 && request.retire.length === 0) return;
        const body = { step: 'mark', generation, removed, retired: request.retire.map(idOf), junk };
        await noteInLedger(system, vault.id, { kind: 'prune', body }, run);
      },
    },
    run,
  );
  const swept = goneEverywhere(settled, pruned);
  if (swept.size > 0) {
    const indexes = { places: settled.places, swept, writer: keys.writer, identity: keys.indexIdentity };
    await run.step('index', (run) => removeDeadIndexes({ ...indexes, turn: pruned.generation }, run));
  }
  await noteRemoved(system, vault.id, pruned, run);
  if (outOfReach.length === 0 && ledger.suspect.length === 0)
    await checkpoint(system, vault, settled.places, objects, run);
  const places = pruned.plans.map(({ destination, plan: sweep }) => {
    const place = settled.places.find((one) => one.destination.name === destination)!;
    const swept = pruned.swept.find((one) => one.destination === destination);
    return { ...placePrune(place, sweep, marks.tombstones), ...(swept && { swept }) };
  });
  return { ...found, suspect: [], places, generation: pruned.generation };
}

/** A machine that prunes a vault for the first time remembers whom it met: whoever comes later is a stranger. */
async function openKnown(config: System, opened: readonly Destination[]): Promise<VaultReader> {
  const vault = await openVault(opened, { trust: (id) => trustOf(config, id) });
  if (vault.trust.writers !== undefined) return vault;
  await meetWriters(config, vault.id, () => vault);
  return await openVault(opened, { trust: (id) => trustOf(config, id) });
}

/** What the ledger says, and what of it could not be fetched at all: a pin may be among that. */
async function ledgerOf(config: System, vault: VaultReader, opened: readonly Destination[], run: Run) {
  const { objects, unlisted, unread, troubles } = await readLedger(opened, (writer) => isOurs(vault.trust, writer));
  if (unlisted.length > 0) {
    for (const message of troubles) run.problem({ code: 'ledger-unread', message });
  }
  return {
    objects,
    ledger: foldLedger(objects, vault.id, trustToRemove(config, vault), (await vault.restorePoints()).points),
    unlisted,
    unread: unread.map((key) => ({ key, why: 'no copy of it could be read, and it may hold a pin' })),
  };
}

/** Strangers may have put any number there: one line. */
function tellDamaged([first, ...more]: readonly Suspect[], run: Run): void {
  if (first === undefined) return;
  const others = more.length === 0 ? '' : ` ${countOf(more.length, 'more object')} there, too.`;
  run.problem({ code: 'generation-suspect', message: `${first.key} ${first.why}${others}` });
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
async function noteRemoved(system: OpenSystem, vault: string, { generation, swept }: Pruned, run: Run): Promise<void> {
  if (swept.every(({ objects }) => objects === 0)) return;
  const destinations = Object.fromEntries(
    swept.map(({ destination, records, objects, bytes }) => [destination, { records, objects, bytes }]),
  );
  await noteInLedger(system, vault, { kind: 'prune', body: { step: 'sweep', generation, destinations } }, run);
}
