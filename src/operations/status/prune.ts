import type { RunRecord } from '../../catalog/catalog.ts';
import type { System } from '../../config/system.ts';
import { dayMs, roughDuration } from '../../core/duration.ts';
import { largestOf } from '../../core/extremes.ts';
import { formatMoment } from '../../core/moment.ts';
import { countOf, formatSize } from '../../core/size.ts';
import { openLedgerCache } from '../../ledger/cache.ts';
import { foldLedger, isRetiredWriter, type PruneLedger } from '../../ledger/decisions.ts';
import { newestEntries } from '../../ledger/read.ts';
import { freedBy, planFor, pruneFlood, pruneTooLarge } from '../../retention/index.ts';
import { type LedgerObject, writerId } from '../../vault/format/index.ts';
import type { Generations } from '../../vault/generations/index.ts';
import {
  graceMs,
  isOurs,
  isStrange,
  pruneMet,
  pruneSuspect,
  type RestorePoint,
  type VaultReader,
} from '../../vault/index.ts';
import { since } from './copies.ts';
import type { PruneStatus, PruneWait, StatusTrouble, SystemStatus } from './status.ts';

/** A weekly prune may fail once, and what it marks takes a second one. */
const lateMs = 14 * dayMs;
/** Nothing goes before the grace is over; a host that is away for a weekend holds up nobody. */
const patienceMs = 2 * graceMs;
/** Strangers may have put any number after the true ones. */
const mostLooked = 50;
/** With those of proofs.ts, acceptances.ts and learn-keys.ts at most 5,000. */
const mostRead = 1000;
const decisions: ReadonlySet<string> = new Set(['pin', 'erase', 'prune', 'drill', 'accept']);

export interface PruneSources {
  readonly config: System;
  readonly vault: VaultReader;
  /** Of the whole vault: whoever writes to it can hold up a prune. */
  readonly points: readonly RestorePoint[];
  readonly generations: Generations;
  /** Of prunes from this host, newest first. */
  readonly runs: readonly RunRecord[];
  /** The public key that this host signs with. */
  readonly here: string | undefined;
  /** Of the ledger, only as much as is asked for: usually nothing. */
  readonly ledger: () => Promise<PruneLedger>;
}

/** What is known while status looks at prunes. */
interface Look extends PruneSources {
  readonly nowMs: number;
  readonly newest:
    | { readonly number: number; readonly storedMs: number; readonly marked: readonly string[] }
    | undefined;
}

/** The same status with what keeps that from going which retention drops. Prunes that go their usual way are not spoken of. */
export async function withPrune(status: SystemStatus, sources: PruneSources): Promise<SystemStatus> {
  const nowMs = Date.parse(status.at);
  const look = { ...sources, nowMs, newest: await newestOf(sources.generations) };
  const prune: PruneStatus = {
    last: look.newest === undefined ? null : isoOf(look.newest.storedMs),
    overdue: await overdueIn(look),
    waitsFor: await waitsIn(look),
    stopped: stoppedIn(look),
  };
  return { ...status, prune, troubles: [...status.troubles, ...troublesOf(prune, nowMs)] };
}

/** The newest that can be believed: anybody who can write there can put one after it. */
async function newestOf(generations: Generations): Promise<Look['newest']> {
  let read = 0;
  for (const [number, storedMs] of generations.storedMs) {
    if (read++ >= mostLooked) break;
    const generation = await generations.read(number);
    if (generation !== undefined) return { number, storedMs, marked: generation.tombstones };
  }
  return undefined;
}

/** What keeps a restore point or lets it go, among the newest entries: those of prunes that ran are many, and old ones rest. */
export async function readDecisions(
  { stateDir }: System,
  vault: VaultReader,
  points: readonly RestorePoint[],
): Promise<PruneLedger> {
  using cache = openLedgerCache(stateDir, { create: false });
  const objects: LedgerObject[] = [];
  const heard = (writer: string) => isOurs(vault.trust, writer);
  const options = { kinds: decisions, most: mostRead, cache, isOurs: heard };
  for await (const { key, bytes, record } of newestEntries(vault.destinations, options)) {
    if (bytes !== undefined && record !== undefined && heard(record.writer)) objects.push({ key, bytes });
  }
  // Nothing is removed by what is said here, so everyone who is known may have said it.
  return foldLedger(objects, vault.id, vault.trust, points);
}

/** What retention had let go already when the time for a prune began that did not come. */
async function overdueIn({
  config,
  vault,
  points,
  generations,
  newest,
  nowMs,
  ledger,
}: Look): Promise<PruneStatus['overdue']> {
  const beforeMs = nowMs - lateMs;
  if (!generations.isAll || (newest !== undefined && newest.storedMs > beforeMs)) return null;
  const old = points.filter(({ storedMs }) => storedMs <= beforeMs);
  const droppedOf = (some: readonly RestorePoint[], known?: PruneLedger) => {
    const plan = planFor(config, { points: some, suspect: [] }, known && { ledger: known });
    return { plan, keys: new Set(some.map(({ key }) => key).filter((key) => !plan.kept.has(key))) };
  };
  // Pins only take from it, so that usually there is no need to ask for them.
  if (droppedOf(old).keys.size === 0) return null;
  const known = await ledger();
  const now = droppedOf(points, known);
  if (droppedOf(old, known).keys.isDisjointFrom(now.keys)) return null;
  const frees = freedBy(await vault.withNeeds(points), now.plan.kept);
  return { restorePoints: now.keys.size, objects: frees.freedObjects, bytes: frees.freedBytes };
}

/** Writers that have not seen what was marked since so long ago that it could be gone. */
async function waitsIn({ config, points, generations, newest, nowMs, here, ledger }: Look): Promise<PruneWait[]> {
  if (newest === undefined || newest.marked.length === 0) return [];
  const waits: PruneWait[] = [];
  for (const [writer, own] of byWriter(points.filter((point) => !isStrange(point)))) {
    const seen = largestOf(own, ({ record: { generation } }) => (generation <= newest.number ? generation : 0));
    // Where the next is gone, a prune has passed this writer: it was retired.
    const sinceMs = seen < newest.number ? generations.storedMs.get(seen + 1) : undefined;
    if (sinceMs === undefined || nowMs - sinceMs <= patienceFor(config, own)) continue;
    const id = writerId(writer);
    if (isRetiredWriter(await ledger(), id, points)) continue;
    // What it has seen marked may be gone already.
    const before = new Set((await generations.read(seen))?.tombstones);
    const objects = newest.marked.filter((one) => !before.has(one)).length;
    if (objects === 0) continue;
    const last = own.at(-1)!.record.time;
    const datasets = [...new Set(own.map(({ record }) => record.dataset))].sort();
    waits.push({ writer: id, isHere: writer === here, since: isoOf(sinceMs), datasets, lastBackup: last, objects });
  }
  return waits;
}

/** Those that are known, and the restore points of each, oldest first. */
function byWriter(points: readonly RestorePoint[]): Map<string, RestorePoint[]> {
  const known = points.filter(({ doubts }) => doubts.every(({ code }) => code !== 'writer-unknown'));
  return Map.groupBy(known, ({ record }) => record.writer);
}

/** A host that backs up once a fortnight is not late after a week. */
function patienceFor({ datasets }: System, own: readonly RestorePoint[]): number {
  return largestOf(own, ({ record }) => datasets[record.dataset]?.rpoMs ?? 0, patienceMs);
}

/** By itself: not interrupted, and not killed. */
const ended: ReadonlySet<string> = new Set(['done', 'no', 'failed']);

/**
 * The last prune from this host that came to an end of its own, when a brake stopped it or it failed, and none has come through
 * since, from wherever. One that was interrupted or killed since has mended nothing.
 */
function stoppedIn({ runs, newest }: Look): PruneStatus['stopped'] {
  const last = runs.find(({ operation, state }) => operation === 'prune' && ended.has(state));
  if (last?.state !== 'failed' || last.errorCode === undefined || last.errorCode === pruneMet.code) return null;
  if (newest !== undefined && newest.storedMs > last.startedMs) return null;
  return { at: isoOf(last.startedMs), code: last.errorCode, message: last.errorMessage ?? '' };
}

const mends: Readonly<Record<string, string>> = {
  [pruneTooLarge.code]: 'lifeboat prune --dry-run',
  [pruneFlood.code]: 'lifeboat list',
  [pruneSuspect.code]: 'lifeboat verify',
};

/** Nothing is lost by any of it, and the store only grows: so none is bad. */
function troublesOf({ last, overdue, waitsFor, stopped }: PruneStatus, nowMs: number): StatusTrouble[] {
  const troubles: StatusTrouble[] = [];
  const warn = (code: string, message: string, command: string) =>
    void troubles.push({ severity: 'warning', code, message, command });
  if (stopped !== null) {
    const message = `The last prune (${formatMoment(Date.parse(stopped.at), nowMs)}) was stopped. ${stopped.message}`;
    warn('prune-stopped', message, mends[stopped.code] ?? 'lifeboat prune');
  } else if (overdue !== null) {
    const what = `${countOf(overdue.restorePoints, 'restore point')} (${formatSize(overdue.bytes)})`;
    const when = last === null ? 'no prune has ever run' : `no prune has run ${since(Date.parse(last), nowMs)}`;
    warn('prune-overdue', `The retention no longer keeps ${what}, and ${when}.`, 'lifeboat prune');
  }
  for (const wait of waitsFor) {
    const when = since(Date.parse(wait.since), nowMs);
    const message = `${countOf(wait.objects, 'object')} that the retention no longer needs cannot go: ${when} the prune waits for ${nameOf(wait, nowMs)} to back up.`;
    const elsewhere = `lifeboat backup (on that host; if it never will again: lifeboat prune --retire ${wait.writer})`;
    warn('prune-waits', message, wait.isHere ? 'lifeboat backup' : elsewhere);
  }
  return troubles;
}

/** A host's name stands in the vault only under seal; what it backed up tells which it is. */
function nameOf({ isHere, writer, datasets, lastBackup }: PruneWait, nowMs: number): string {
  if (isHere) return 'this host';
  const ageMs = Math.max(0, nowMs - Date.parse(lastBackup));
  return `the host with key ${writer.slice(0, 8)} (${datasets.join(', ')}; last ${roughDuration(ageMs)} ago)`;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
