import type { System } from '../config/system.ts';
import { breathe, unhurried } from '../core/breathe.ts';
import { failureOfPlace, type LifeboatError } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import { countOf } from '../core/size.ts';
import type { Destination } from '../destinations/destination.ts';
import { foldLedger, type PruneLedger } from '../ledger/decisions.ts';
import { readLedger } from '../ledger/read.ts';
import { floodIn, lastPruneMs, planFor, type RetentionPlan, tooLarge } from '../retention/index.ts';
import type { LedgerObject } from '../vault/format/index.ts';
import { isOurs, isStrange, openVault, pruneUnwritten, type Suspect, type VaultReader } from '../vault/index.ts';
import {
  type PruneFacts,
  type PrunePlan,
  type PruneSurvey,
  planPrune,
  refuseNewer,
  sparsePacks,
  surveyVault,
} from '../vault/prune/index.ts';
import { meetWriters, trustOf, trustToRemove } from './known-writers.ts';
import { type Accepted, acceptedOf, notAccepted, nothingAccepted } from './prune-accepted.ts';
import { factsOf, firstStoredMs, wholeAt } from './prune-facts.ts';
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

/** Everything that a prune with these flags will do, and what would stop it. A dry run tells it; nothing is decided a second time. */
export interface PlannedPrune {
  readonly vault: VaultReader;
  readonly survey: PruneSurvey;
  readonly ledger: PruneLedger;
  /** All that the ledger holds. */
  readonly objects: readonly LedgerObject[];
  readonly outOfReach: readonly string[];
  readonly retention: RetentionPlan;
  readonly plan: PrunePlan;
  readonly accepted: Accepted;
  /** What cannot be believed, and no flag allows: gaps are in `plan`. */
  readonly suspect: readonly Suspect[];
  readonly strangers: Strangers;
  /** What stops it, though a flag could allow it: a flood of restore points first. */
  readonly brakes: readonly LifeboatError[];
}

/** @throws `prune-newer`, `prune-unwritten`, and what opening a vault throws */
export async function planned(system: OpenSystem, request: PruneRequest, run: Run): Promise<PlannedPrune> {
  const { opened, failed } = await system.destinations({ create: false, role: 'pruner' });
  for (const { error } of failed) run.problem(failureOfPlace(error));
  if (opened.length === 0 && failed[0] !== undefined) throw failed[0].error;
  const { config } = system;
  const vault = await openKnown(config, opened, run.signal);
  const { trust } = vault;
  const { ledger, objects, unread, unlisted } = await run.step('ledger', (run) => ledgerOf(config, vault, opened, run));
  // What only such a place says of pins is not known: it is as good as away.
  const destinations = vault.destinations.filter(({ name }) => !unlisted.includes(name));
  const survey = await run.step('survey', (run) => surveyVault({ vault, destinations, trust }, run));
  if (survey.places.length === 0) throw pruneUnwritten({ why: 'none could be read.' });
  refuseNewer([...survey.suspect, ...survey.damaged]);

  const away = opened.filter(({ name }) => !destinations.some((one) => one.name === name)).map(({ name }) => name);
  const outOfReach = [...failed.map(({ name }) => name), ...away, ...survey.outOfReach];
  const retention = await retentionOf(config, survey, ledger, run.signal);
  // Whatever becomes of the ledger at a place, a generation tells its writers.
  const wrong = ledger.wrong.get(config.name) ?? new Set();
  const sparse = await run.step('sparse packs', async () => sparsePacks(config.stateDir).union(wrong));
  const { retire } = request;
  const facts = factsOf({ ...survey, trust, outOfReach, plan: retention, ledger, retire, sparse, system: config.name });
  const fresh = notAccepted(survey.suspect, ledger, run);
  const accepted = request.allowMissing ? acceptedOf(facts, fresh, ledger) : nothingAccepted;
  const settled: PruneFacts = { ...facts, removed: facts.removed.union(accepted.missing) };
  const suspect = [...unread, ...(request.allowMissing ? [] : [...fresh, ...ledger.suspect])];
  await breathe(run.signal);
  const strangers = strangersOf(survey.points, survey.places);
  tellDoubts(survey, ledger, strangers, run);
  await breathe(run.signal);
  const plan = planPrune(settled);
  await breathe(run.signal);
  const brakes = brakesOn(config, survey, plan, request);
  return { vault, survey, ledger, objects, outOfReach, retention, plan, accepted, suspect, strangers, brakes };
}

async function retentionOf(
  config: System,
  survey: PruneSurvey,
  ledger: PruneLedger,
  signal: AbortSignal,
): Promise<RetentionPlan> {
  const whole = new Map<string, string[]>();
  for await (const point of unhurried(survey.points, signal)) whole.set(point.key, wholeAt(survey.places, point));
  await breathe(signal);
  return planFor(config, survey, {
    ledger,
    wholeAt: ({ key }) => whole.get(key) ?? [],
    firstStoredMs: (point) => firstStoredMs(survey.places, point),
    nowMs: Math.min(...survey.places.map(({ nowMs }) => nowMs)),
  });
}

function brakesOn(
  config: System,
  { points, places }: PruneSurvey,
  { facts, marks }: PrunePlan,
  { allowFlood, allowLarge }: PruneRequest,
): LifeboatError[] {
  const own = points.filter((point) => !isStrange(point));
  const flood = allowFlood ? undefined : floodIn(config, points, lastPruneMs(places));
  const large = allowLarge ? undefined : tooLarge(config, facts, marks, own);
  return [flood, large].filter((brake) => brake !== undefined);
}

/** A machine that prunes a vault for the first time remembers whom it met: whoever comes later is a stranger. */
async function openKnown(config: System, opened: readonly Destination[], signal: AbortSignal): Promise<VaultReader> {
  const open = () => openVault(opened, { trust: (id) => trustOf(config, id), signal });
  const vault = await open();
  if (vault.trust.writers !== undefined) return vault;
  await meetWriters(config, vault.id, () => vault);
  return await open();
}

/** What the ledger says, and what of it could not be fetched at all: a pin may be among that. */
async function ledgerOf(config: System, vault: VaultReader, opened: readonly Destination[], run: Run) {
  const { objects, unlisted, unread, troubles } = await readLedger(opened, (writer) => isOurs(vault.trust, writer));
  if (unlisted.length > 0) {
    for (const message of troubles) run.problem({ code: 'ledger-unread', message });
  }
  return {
    objects,
    ledger: foldLedger(objects, vault.id, trustToRemove(config, vault), (await vault.pointsOfAll()).points),
    unlisted,
    unread: unread.map((key) => ({ key, why: 'no copy of it could be read, and it may hold a pin' })),
  };
}

/** Strangers may have put any number there: one line for each kind. */
function tellDoubts({ damaged }: PruneSurvey, { strangePins }: PruneLedger, strangers: Strangers, run: Run): void {
  const [first, ...more] = damaged;
  if (first !== undefined) {
    const others = more.length === 0 ? '' : ` ${countOf(more.length, 'more object')} there, too.`;
    run.problem({ code: 'generation-suspect', message: `${first.key} ${first.why}${others}` });
  }
  if (strangePins.length > 0) {
    const pins = countOf(strangePins.length, 'pin');
    const message = `${pins} signed by nobody who is known hold nothing, the first ${strangePins[0]}. If that is a machine of yours, name its key in vault.writers.`;
    run.problem({ code: 'pin-strange', message });
  }
  if (strangers.records > 0) run.problem({ code: 'strangers-kept', message: strangersText(strangers) });
}
