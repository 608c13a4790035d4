import { failureOfPlace } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectExists } from '../../destinations/errors.ts';
import { firstSound, traceOf } from '../../destinations/first-version.ts';
import { announcedAt } from '../announced.ts';
import { pruneMet, pruneNewer, pruneSuspect, pruneUnwritten } from '../errors.ts';
import { generationBytes, signGeneration } from '../format/generation.ts';
import { generationKey, listKey } from '../format/keys.ts';
import { recordHash } from '../format/record.ts';
import { chainGaps, type Gap } from '../hold/chain.ts';
import type { WithNeeds } from '../hold/needs.ts';
import { type FoundCover, newestCovers } from '../logs/covers.ts';
import { floorsOf } from '../logs/floors.ts';
import { allRules, type PruneRules } from '../prune-rules.ts';
import { isStrange, type Trust } from '../trust.ts';
import type { RestorePoint, Suspect, VaultReader } from '../vault.ts';
import {
  decideMarks,
  decideSweep,
  type Marks,
  nextNumber,
  type PruneFacts,
  type PrunePoint,
  type SweepPlan,
} from './decide.ts';
import { listPacks, listRest, type Place } from './place.ts';
import { removeWhole } from './remove.ts';
import { type Swept, sweep } from './sweep.ts';

export interface SurveyRequest {
  /** Over the same destinations as below. */
  readonly vault: VaultReader;
  /** In reach, with the right to delete. */
  readonly destinations: readonly Destination[];
  readonly trust: Trust;
}

/** Everything that a prune must know of a vault, read in an order that misses nothing. */
export interface PruneSurvey {
  readonly places: readonly Place[];
  /** Those that failed while they were read. */
  readonly outOfReach: readonly string[];
  readonly points: ReadonlyArray<WithNeeds<RestorePoint>>;
  /** Records that cannot be read, or whose lists cannot: what they need is not known, so nothing may be deleted unless a person says that they are lost. */
  readonly suspect: readonly Suspect[];
  /** Prunes that are damaged: they say nothing. */
  readonly damaged: readonly Suspect[];
  /** Of each writer's timeline, the one that reaches furthest. */
  readonly covers: readonly FoundCover[];
}

export async function surveyVault({ vault, destinations, trust }: SurveyRequest, run: Run): Promise<PruneSurvey> {
  const outOfReach: string[] = [];
  const suspect: Suspect[] = [];
  const damaged: Suspect[] = [];
  const reached = async <From extends { readonly destination: Destination } | Destination, To>(
    all: readonly From[],
    work: (one: From) => Promise<To>,
  ): Promise<To[]> => {
    const found: To[] = [];
    for (const one of all) {
      try {
        found.push(await work(one));
      } catch (error) {
        run.signal.throwIfAborted();
        const { name } = 'destination' in one ? one.destination : one;
        outOfReach.push(name);
        run.problem(failureOfPlace(error));
      }
    }
    return found;
  };
  const listings = await reached(destinations, (destination) => listPacks(destination, vault.ids, run));
  const rest = {
    vault: vault.id,
    trust,
    ids: vault.ids,
    run,
    damaged: (found: Suspect) => void damaged.push(found),
  };
  const places = await reached(listings, async (listing) => {
    const place = await listRest(listing, rest);
    suspect.push(...(await announcedAt(place.destination, vault.id, trust, { deletes: true })).found);
    return place;
  });
  const found = await vault.pointsOfAll();
  for (const one of found.suspect) suspect.push(one);
  const told = [...found.points, ...suspect].map(({ key }) => key);
  const known = new Set([...told, ...(found.strange ?? [])]);
  for (const { records, destination } of places) {
    for (const key of records.keys()) {
      if (!known.has(key)) suspect.push({ key, why: `it was listed in ${destination.name} and could not be read` });
    }
  }
  const points = await vault.withNeeds(found.points, run.signal);
  suspect.push(...unreadLists(points));
  const holding = places.filter(({ logs }) => logs.size > 0);
  const reading = { vault: vault.id, trust, onFailure };
  const covers = await reached(holding, ({ destination }) => newestCovers([destination], reading));
  return { places, outOfReach, points, suspect, damaged, covers: covers.flat() };
}

function onFailure(_: Destination, error: unknown): never {
  throw error;
}

/** Restore points of which it is not known what they need. Strangers can name lists that never were: those say nothing. */
export function unreadLists(points: ReadonlyArray<WithNeeds<RestorePoint>>): Suspect[] {
  return points.flatMap((point) => {
    const [list] = isStrange(point) ? [] : point.needs.packs.unread;
    return list === undefined ? [] : [{ key: point.key, why: `the list of its packs ${listKey(list)} cannot be read` }];
  });
}

export function prunePointOf(point: WithNeeds<RestorePoint>): PrunePoint {
  const { key, record, needs, destinations } = point;
  return { key, at: destinations, record, needs, hash: recordHash(record), strange: isStrange(point) };
}

/** @throws `prune-newer`: no consent helps, for nobody can say what would be deleted */
export function refuseNewer(found: readonly Suspect[]): void {
  const newer = found.find((one) => one.newer);
  if (newer !== undefined) throw pruneNewer(newer);
}

/** Gaps that no destination out of reach can explain: somebody took a record away. */
function unexplainedGaps(facts: PruneFacts): Gap[] {
  return facts.outOfReach.length > 0 ? [] : chainGaps(facts.points, facts.removed);
}

/** What a prune does, decided once from what was found: a dry run tells of it, and a prune executes this very plan. */
export interface PrunePlan {
  readonly facts: PruneFacts;
  readonly marks: Marks;
  /** No destination out of reach can explain them: somebody took a record away. */
  readonly gaps: readonly Gap[];
  /** Of the generation that it writes. */
  readonly generation: number;
  readonly rules: PruneRules;
}

/** `rules`: only a model of a prune leaves one out. */
export function planPrune(facts: PruneFacts, rules: PruneRules = allRules): PrunePlan {
  const generation = nextNumber(facts.places);
  return { facts, marks: decideMarks(facts, rules), gaps: unexplainedGaps(facts), generation, rules };
}

/** What goes at a place, if its clock shows `nowMs` when the generation is there. */
export function planSweep({ facts, rules }: PrunePlan, place: Place, nowMs: number): SweepPlan {
  return decideSweep(facts, place, nowMs, rules);
}

export interface PruneRequest {
  readonly vault: string;
  readonly plan: PrunePlan;
  readonly suspect: readonly Suspect[];
  /** The pruner's Ed25519 key, base64. */
  readonly signingKey: string;
  /** Called before anything is marked: what it throws ends the prune with nothing changed. */
  readonly beforeMarking: () => Promise<void>;
}

export interface Pruned {
  readonly swept: readonly Swept[];
  /** By destination, as it was when the sweep began. */
  readonly plans: ReadonlyArray<{ readonly destination: string; readonly plan: SweepPlan }>;
}

/**
 * Writes the next generation and removes what earlier ones named, as far as that is safe now. Stopped at any point, the next
 * prune goes on.
 * @throws `prune-suspect`, `prune-met`, `prune-unwritten`; what is wrong with one destination alone is told to `run`
 */
export async function pruneVault(request: PruneRequest, run: Run): Promise<Pruned> {
  const { vault, plan, signingKey } = request;
  const { facts, marks, generation: number, rules } = plan;
  const gaps = plan.gaps.map(({ key }) => ({ key, why: 'the record before it in its chain is missing' }));
  const suspect = [...request.suspect, ...gaps];
  if (suspect.length > 0) throw pruneSuspect({ found: suspect });
  await request.beforeMarking();
  const generation = signGeneration(
    {
      format: 1,
      vault,
      generation: number,
      created: new Date(run.clock.now()).toISOString(),
      tombstones: [...marks.tombstones].sort(),
      sparse: [...marks.sparse].sort(),
      ...(marks.logs.length > 0 && { logs: marks.logs }),
    },
    signingKey,
  );
  const bytes = generationBytes(generation);
  const places = await run.step('mark', (run) => announce(facts, number, bytes, marks, run));

  const swept: Swept[] = [];
  const plans: { destination: string; plan: SweepPlan }[] = [];
  const whole = { ...facts, places: facts.places.map((old) => places.find((now) => isSame(now, old)) ?? old) };
  for (const place of places) {
    const { destination } = place;
    const plan = planSweep({ ...request.plan, facts: whole }, place, place.nowMs);
    plans.push({ destination: destination.name, plan });
    swept.push(await run.step(`sweep ${destination.name}`, (run) => sweep(place, plan, run, rules)));
  }
  if (facts.outOfReach.length === 0 && places.length === facts.places.length) {
    await removeOldGenerations(whole, Math.min(...plans.map(({ plan }) => plan.passed), number - 2), run);
  }
  return { swept, plans };
}

function isSame(a: Place, b: Place): boolean {
  return a.destination === b.destination;
}

/** Stores the generation everywhere; the time at which a place took it is what its clock shows now. */
async function announce(
  { places, decides = () => true }: PruneFacts,
  number: number,
  bytes: Uint8Array,
  { tombstones, sparse, logs }: Marks,
  run: Run,
): Promise<Place[]> {
  const key = generationKey(number);
  const floors = floorsOf(logs.filter(([system]) => decides(system)));
  const told: Place[] = [];
  let failure = 'none is in reach.';
  for (const place of places) {
    const { destination, generations } = place;
    run.signal.throwIfAborted();
    try {
      await destination.put(key, bytes, { signal: run.signal });
      const trace = await traceOf(destination, key);
      // A place that lets an object be overwritten tells the loser here.
      const first = trace && (await firstSound(destination, trace, (found) => found));
      if (trace === undefined || first === undefined || Buffer.compare(first.bytes, bytes) !== 0) {
        throw pruneMet({ destination: destination.name, generation: number });
      }
      const storedMs = trace.modifiedMs;
      const whole = new Map([
        ...generations,
        [number, { storedMs, tombstones, sparse, floors, speaksFor: decides }] as const,
      ]);
      told.push({ ...place, generations: whole, nowMs: storedMs });
    } catch (error) {
      run.signal.throwIfAborted();
      if (pruneMet.is(error)) throw error;
      if (objectExists.is(error))
        throw pruneMet({ destination: destination.name, generation: number }, { cause: error });
      const problem = failureOfPlace(error);
      failure = problem.message;
      run.problem(problem);
    }
  }
  if (told.length === 0) throw pruneUnwritten({ why: failure });
  return told;
}

/**
 * Nobody asks any more what was marked before the newest generation that all have passed; of logs only what the last says that speaks for
 * their system.
 */
async function removeOldGenerations({ places, points }: PruneFacts, before: number, run: Run): Promise<void> {
  const systems = new Set(points.map(({ record }) => record.system));
  for (const { destination, generations } of places) {
    const old = [...generations].filter(([number]) => number <= before).sort(([a], [b]) => b - a);
    const last = [...systems].map((system) => old.find(([, { speaksFor }]) => speaksFor(system))?.[0]);
    for (const [number] of old) {
      if (number === before || last.includes(number)) continue;
      run.signal.throwIfAborted();
      try {
        await removeWhole(destination, generationKey(number));
      } catch (error) {
        run.problem(failureOfPlace(error));
        break;
      }
    }
  }
}
