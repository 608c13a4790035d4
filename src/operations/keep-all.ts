import { existsSync } from 'node:fs';
import type { Locks } from '../catalog/locks.ts';
import type { System } from '../config/system.ts';
import { dayMs } from '../core/duration.ts';
import { failureOfPlace, sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { Destination, Key } from '../destinations/destination.ts';
import { traceOf } from '../destinations/first-version.ts';
import { inState } from '../host/state-names.ts';
import { foldLedger } from '../ledger/decisions.ts';
import { readLedger } from '../ledger/read.ts';
import { planFor } from '../retention/index.ts';
import { baseOf, type LogSpan, parseKey } from '../vault/format/index.ts';
import { allAt, type Holdings, type WithNeeds } from '../vault/hold/index.ts';
import {
  isDoubtful,
  isKnownWriter,
  isOurs,
  knownById,
  openVault,
  type RestorePoint,
  type VaultReader,
} from '../vault/index.ts';
import { isKeptSmall, type KeptLocks, type KeptRestorePoint, keepLocks, lockNeeds } from '../vault/keep/index.ts';
import { unreadLists } from '../vault/prune/index.ts';
import { trustOf, trustToRemove } from './known-writers.ts';
import { noteInLedger } from './note-in-ledger.ts';
import type { OpenSystem } from './system.ts';

/** What was seen of a lock longer ago is looked at again: nobody can shorten one, but that is to be seen, not assumed. */
export const rememberedMs = 30 * dayMs;

export interface KeepOutcome {
  readonly vault: string;
  readonly dryRun: boolean;
  readonly locks: ReadonlyArray<
    KeptLocks & {
      /** How long the place locks what is stored. */
      readonly birthMs: number;
      /** Requests by operation, where they were counted. */
      readonly requests: Readonly<Record<string, number>>;
    }
  >;
  /** Destinations whose objects cannot be kept by locks, and why. */
  readonly without: ReadonlyArray<{ readonly destination: string; readonly why: string }>;
  /** Records that could not be read, or whose lists could not: what they need is not known. */
  readonly suspect: ReadonlyArray<{ readonly key: string; readonly why: string }>;
}

/** Nothing that a restore point needs is without the lock that it should have. */
export function isKept({ locks, suspect }: KeepOutcome): boolean {
  return suspect.length === 0 && locks.every(({ failed, unlocked, missing }) => !failed && unlocked + missing === 0);
}

/** @throws `vault-missing`, `no-destination-left` */
export async function keepAll(system: OpenSystem, locks: Locks, dryRun: boolean, run: Run): Promise<KeepOutcome> {
  const { opened, failed } = await system.destinations({ create: false, role: 'keeper' });
  for (const { error } of failed) run.problem(failureOfPlace(error));
  if (opened.length === 0 && failed[0] !== undefined) throw failed[0].error;
  const vault = await openVault(opened, {
    trust: (id) => trustOf(system.config, id),
    signal: run.signal,
    onDamage: ({ destination, key, code, why }) => run.problem({ code, message: `${destination} ${key}: ${why}` }),
  });
  const { kept, suspect } = await run.step('records', (run) => keptPoints(system, vault, run));
  const result: KeepOutcome['locks'][number][] = [];
  const without = failed.map(({ name, error }) => ({ destination: name, why: sentenceOf(error) }));
  for (const destination of vault.destinations) {
    const { name } = destination;
    const own = kept.filter(({ point }) => point.destinations.includes(name));
    if (destination.history === undefined || destination.capabilities.objectLock === 'none') {
      without.push({ destination: name, why: 'it has no locks' });
      continue;
    }
    const before = { ...destination.requests?.() };
    const isKnown = knownById(vault.trust);
    const done = await run.step(`keep ${name}`, (run) =>
      keepAt(system, destination, own, { locks, dryRun, isKnown, run }),
    );
    if ('why' in done) without.push({ destination: name, why: done.why });
    else result.push({ ...done, requests: difference(destination.requests?.() ?? {}, before) });
  }
  const outcome = { vault: vault.id, dryRun, locks: result, without, suspect };
  if (!dryRun) await noteKept(system, outcome, run);
  return outcome;
}

interface Own extends KeptRestorePoint {
  readonly point: WithNeeds<RestorePoint>;
}

/** What retention keeps, but for what strangers put there. A forged end moves nothing: the policy decides, not the record. */
async function keptPoints(system: OpenSystem, vault: VaultReader, run: Run) {
  const found = await vault.pointsOfAll();
  const { objects, troubles } = await readLedger(vault.destinations, (writer) => isOurs(vault.trust, writer));
  const ledger = foldLedger(objects, vault.id, trustToRemove(system.config, vault), found.points);
  const plan = planFor(system.config, found, { ledger, nowMs: system.clock.now() });
  const stays = new Map(
    plan.datasets.flatMap(({ points }) => points.map(({ point, staysMs }) => [point.key, staysMs] as const)),
  );
  // Where the ledger is not whole, a pin may be missing from it: then everything stays.
  const isPlain = ledger.suspect.length === 0 && troubles.length === 0;
  const staying = found.points.filter(
    ({ key, record }) => isKnownWriter(vault.trust, record.writer, record.system) && (plan.kept.has(key) || !isPlain),
  );
  const points = await vault.withNeeds(staying, run.signal);
  const kept = points.map((point): Own => {
    const staysMs = isDoubtful(point) ? undefined : stays.get(point.key);
    const base = baseOf(point.record);
    return { point, ...(staysMs !== undefined && { staysMs }), ...(base && { base }) };
  });
  return { kept, suspect: [...found.suspect, ...unreadLists(points)] };
}

/** How long a destination locks what is stored, as far as it is known here. */
export function knownBirthMs(config: System, name: string, locks: Locks): number | undefined {
  const settings = config.destinations[name];
  const configured = settings?.type === 's3' ? settings.lock?.forMs : undefined;
  const seen = locks.last(name)?.birthMs;
  return configured ?? (seen === 0 ? undefined : seen);
}

/** The same, looked at: the newest record was locked when it was stored, and nobody has extended that yet. */
async function birthAt(destination: Destination, kept: readonly Own[]): Promise<number | undefined> {
  const newest = kept.at(-1);
  const first = newest && (await traceOf(destination, newest.point.key))?.versions[0];
  const lock = first && (await destination.history?.lockOf(first.key, first.version));
  return first && lock && Math.max(dayMs, lock.untilMs - first.modifiedMs);
}

interface Keeping {
  readonly locks: Locks;
  readonly dryRun: boolean;
  /** Whether a writer, by its id, is known for a system: strangers' logs are not locked. */
  readonly isKnown: (writer: string, system: string) => boolean;
  readonly run: Run;
}

type KeptAt = Omit<KeepOutcome['locks'][number], 'requests'>;

/** `why`: nothing can be kept here by locks. */
async function keepAt(
  { clock, config }: OpenSystem,
  destination: Destination,
  kept: readonly Own[],
  { locks, dryRun, isKnown, run }: Keeping,
): Promise<KeptAt | { readonly why: string }> {
  const { name } = destination;
  if (kept.length === 0) return { why: 'it holds no restore point yet' };
  // A clock of ours that is slow must not make locks shorter.
  let nowMs = clock.now();
  let birthMs = knownBirthMs(config, name, locks);
  let done: KeptLocks;
  try {
    birthMs ??= await birthAt(destination, kept);
    if (birthMs === undefined) return { why: 'it could lock objects, but does not lock what is stored' };
    const holdings = await allAt(destination, kept[0]!.point.needs.packs.ids, run.signal);
    nowMs = Math.max(nowMs, holdings.newestMs);
    const needs = lockNeeds(
      kept,
      holdings.smallKeys().filter(isKeptSmall),
      { nowMs, birthMs },
      logsIn(holdings, isKnown),
    );
    done = await keepLocks({ destination, needs, holdings, memory: locks, nowMs, rememberedMs, dryRun, run });
  } catch (error) {
    run.signal.throwIfAborted();
    const none = { objects: 0, extended: 0, missing: 0, unlocked: 0, untilMs: undefined };
    done = { destination: name, ...none, failed: sentenceOf(error) };
  }
  const { untilMs, failed } = done;
  if (!dryRun) {
    const how = { ...(untilMs !== undefined && { untilMs }), ...(failed !== undefined && { failed }) };
    locks.noteKeep(name, { keptMs: nowMs, birthMs: birthMs ?? 0, ...how });
  }
  return { ...done, birthMs: birthMs ?? 0 };
}

function* logsIn(holdings: Holdings, isKnown: Keeping['isKnown']): Generator<readonly [Key, LogSpan]> {
  for (const key of holdings.smallKeys()) {
    const span = parseKey(key);
    if ((span?.type === 'log' || span?.type === 'cover') && isKnown(span.writer, span.system)) yield [key, span];
  }
}

/** Only where this host signs in the vault already: a keeper elsewhere has no key that anyone knows, and no need of one. */
async function noteKept(system: OpenSystem, { vault, locks }: KeepOutcome, run: Run): Promise<void> {
  const extended = locks.filter(({ extended }) => extended > 0);
  if (extended.length === 0 || !existsSync(inState(system.config.stateDir, 'writerKeys'))) return;
  const body = {
    destinations: extended.map(({ destination, objects, extended, untilMs }) => ({
      destination,
      objects,
      extended,
      until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
    })),
  };
  try {
    await noteInLedger(system, vault, { kind: 'lock', body }, run);
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({
      code: 'ledger-unwritten',
      message: `The locks hold, but the ledger does not say so: ${sentenceOf(error)}`,
    });
  }
}

function difference(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).flatMap(([name, count]) =>
      count > (before[name] ?? 0) ? [[name, count - (before[name] ?? 0)]] : [],
    ),
  );
}
