import { existsSync } from 'node:fs';
import { sentenceOf } from '../../core/errors.ts';
import type { Progress, Run } from '../../core/run.ts';
import type { Destination } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { type Requests, withCount } from '../../destinations/wrap/count.ts';
import { inState } from '../../host/state-names.ts';
import { foldLedger } from '../../ledger/decisions.ts';
import { readLedger } from '../../ledger/read.ts';
import {
  type Copied,
  type CopyPlan,
  completeVault,
  copyMissing,
  lockCopier,
  planCopy,
  type SpreadRule,
  spreadRule,
  tellStrange,
  type Wanted,
  wantedBy,
  withdrawnAt,
} from '../../vault/copy/index.ts';
import { decodeVaultFile, VAULT_KEY } from '../../vault/format/index.ts';
import { type Sizes, sizesAt } from '../../vault/hold/index.ts';
import { isOurs, openVault, type VaultReader, vaultReplaced, vaultsDiffer } from '../../vault/index.ts';
import { trustOf } from '../known-writers.ts';
import { noteIfPossible } from '../note-in-ledger.ts';
import { recorded } from '../record-run.ts';
import type { OpenSystem } from '../system.ts';
import { noteUsed, wasUsed } from '../used-destinations.ts';
import { copiesLagging, noSuchDestination, nothingToCopyFrom } from './errors.ts';
import { noteHealth } from './health.ts';

export interface CopyRequest {
  /** All others when absent. */
  readonly from?: string;
  /** All but `from` when absent. */
  readonly to?: readonly string[];
  /** Fill a destination anew whose vault is gone. */
  readonly refill: boolean;
}

export interface CopyOutcome {
  readonly vault: string;
  readonly filled: readonly Filled[];
  /** What was asked of the places that were copied from. */
  readonly read: ReadonlyArray<{ readonly destination: string; readonly requests: Requests }>;
}

/** What became of one destination. */
export interface Filled extends Pick<Copied, 'objects' | 'bytes' | 'records' | 'refused' | 'waiting' | 'strange'> {
  readonly destination: string;
  readonly requests: Requests;
  /** Why it is not as whole as those that were copied from; undefined when it is. */
  readonly behind: string | undefined;
}

/**
 * Brings destinations up to date from one another: no backup, no key. All side by side, so that one that is slow or dead holds
 * up nobody. Reads with the reader's credentials and stores with the writer's.
 * @throws `copy-running`, `no-such-destination`, `nothing-to-copy-from`, `vaults-differ`
 */
export async function copyVault(system: OpenSystem, request: CopyRequest, run: Run): Promise<CopyOutcome> {
  const known = Object.keys(system.config.destinations);
  for (const name of [request.from, ...(request.to ?? [])]) {
    if (name !== undefined && !known.includes(name)) throw noSuchDestination({ destination: name, known });
  }
  using _ = lockCopier(system.config.stateDir);
  const outcome = await copyRecorded(system, request, run);
  await noteCopied(system, outcome, run);
  return outcome;
}

/** In the ledger, by a host that has a key to sign with; one that has none gets none for this. */
async function noteCopied(system: OpenSystem, { vault, filled }: CopyOutcome, run: Run): Promise<void> {
  if (!existsSync(inState(system.config.stateDir, 'writerKeys'))) return;
  const destinations = filled
    .filter(({ objects }) => objects > 0)
    .map(({ destination, objects, bytes, records }) => ({ destination, objects, bytes, restorePoints: records }));
  if (destinations.length > 0) await noteIfPossible(system, vault, { kind: 'copy', body: { destinations } }, run);
}

function copyRecorded(system: OpenSystem, request: CopyRequest, run: Run): Promise<CopyOutcome> {
  return recorded(system, { operation: 'copy' }, run, async (run) => {
    const result = await copyNow(system, request, run);
    noteHealth(
      system,
      result.filled.flatMap(({ destination, behind }) =>
        behind === undefined ? [] : [{ name: destination, error: copiesLagging({ destination, why: behind }) }],
      ),
      result.filled.map(({ destination }) => destination),
    );
    return { result, isNo: result.filled.some(({ behind }) => behind !== undefined) };
  });
}

async function copyNow(system: OpenSystem, request: CopyRequest, run: Run): Promise<CopyOutcome> {
  const { sources, targets, failed } = await run.step('open destinations', () => openBoth(system, request));
  const vault = await run.step('look at records', (run) => readVault(system, sources, run));
  const readable = sources.filter(({ name }) => vault.holders.has(name));
  const plans = await run.step('compare', async (run) => {
    const from = await listed(readable, { hidden: true }, run);
    for (const { name, error } of from.failed) run.problem({ code: 'source-failed', message: `${name}: ${error}` });
    if (from.holdings.length === 0) throw nothingToCopyFrom({ why: from.failed[0]?.error ?? 'none holds the vault.' });
    return Promise.all(targets.map((target) => plannedFor(system, request, target, from.holdings, vault, run)));
  });
  const filled = await run.step('copy', (run) => {
    const share = sharedProgress(run);
    return Promise.all(plans.map((plan) => fill(system, plan, vault, share(plan.plan?.totalBytes ?? 0))));
  });
  run.signal.throwIfAborted();
  tellStrange(filled, run);
  noteUsed(
    system.config.stateDir,
    targets.filter(({ name }) =>
      filled.some(({ destination, behind }) => destination === name && behind === undefined),
    ),
  );
  const unopened = failed.map(({ name, error }) => nothing(name, sentenceOf(error)));
  return {
    vault: vault.id,
    filled: [...filled, ...unopened],
    read: readable.map((source) => ({ destination: source.name, requests: source.requests() })),
  };
}

type Counted = ReturnType<typeof withCount>;

async function openBoth(system: OpenSystem, { from, to, refill }: CopyRequest) {
  const reading = await system.destinations({ create: false, role: 'reader' });
  const isSource = (name: string) => (from === undefined ? !(to?.length === 1 && to[0] === name) : name === from);
  const sources = reading.opened.filter(({ name }) => isSource(name)).map(withCount);
  const [lost] = reading.failed.filter(({ name }) => isSource(name));
  if (sources.length === 0) throw lost?.error ?? nothingToCopyFrom({ why: 'there is only one.' });

  const writing = await system.destinations({ create: true, refill, role: 'writer' });
  const isTarget = (name: string) => name !== from && (to === undefined || to.includes(name));
  return {
    sources,
    targets: writing.opened.filter(({ name }) => isTarget(name)).map(withCount),
    failed: writing.failed.filter(({ name }) => isTarget(name)),
  };
}

interface KnownVault {
  readonly id: string;
  /** Names of the places that hold it. */
  readonly holders: ReadonlySet<string>;
  readonly reader: VaultReader;
  readonly spreads: SpreadRule;
  readonly wanted: Wanted;
  /** Hashes of the records that pruners said to remove. */
  readonly removed: ReadonlySet<string>;
}

async function readVault(system: OpenSystem, sources: readonly Destination[], run: Run): Promise<KnownVault> {
  const vault = await openVault(sources, { trust: (id) => trustOf(system.config, id), signal: run.signal });
  const holders = new Set(vault.destinations.map(({ name }) => name));
  const spreads = await spreadRule(vault);
  const { points } = await vault.pointsOfAll();
  const { objects } = await readLedger(sources, (writer) => isOurs(vault.trust, writer));
  const { removed } = foldLedger(objects, vault.id, vault.trust, points);
  const wanted = await wantedBy(vault, spreads, run.signal);
  return { id: vault.id, holders, reader: vault, spreads, wanted, removed };
}

interface PlannedCopy {
  readonly target: Counted;
  readonly plan?: CopyPlan;
  readonly error?: unknown;
}

async function plannedFor(
  system: OpenSystem,
  request: CopyRequest,
  target: Counted,
  sources: readonly Sizes[],
  vault: KnownVault,
  run: Run,
): Promise<PlannedCopy> {
  try {
    await refuseStranger(system, request, target, vault.id, sources);
    const to = await sizesAt(target, run.signal);
    const from = sources.filter(({ destination }) => destination.name !== target.name);
    const { reader, wanted } = vault;
    const points = async () => reader.withNeeds((await reader.pointsOfAll()).points, run.signal);
    const options = { trust: reader.trust, points, removed: vault.removed };
    return { target, plan: planCopy(to, from, await withdrawnAt(vault.id, [to, ...from], options), wanted) };
  } catch (error) {
    run.signal.throwIfAborted();
    if (vaultsDiffer.is(error)) throw error;
    return { target, error };
  }
}

/** Another vault is never mixed with this one, and a disk that is not mounted is never filled in its place. */
async function refuseStranger(
  { config }: OpenSystem,
  { refill }: CopyRequest,
  target: Destination,
  vault: string,
  sources: readonly Sizes[],
): Promise<void> {
  try {
    if (decodeVaultFile(await target.get(VAULT_KEY)).vault === vault) return;
  } catch (error) {
    if (!objectMissing.is(error)) throw error;
    if (wasUsed(config.stateDir, target.name) && !refill) throw vaultReplaced({ destination: target.name });
    return;
  }
  throw vaultsDiffer({ one: sources[0]?.destination.name ?? 'the others', other: target.name });
}

async function fill(
  system: OpenSystem,
  { target, plan, error }: PlannedCopy,
  vault: KnownVault,
  run: Run,
): Promise<Filled> {
  if (plan === undefined) return nothing(target.name, sentenceOf(error), target.requests());
  try {
    const { reader, spreads } = vault;
    const options = { vault: vault.id, withNeeds: reader.withNeeds, spreads, trust: reader.trust };
    const copied = await copyMissing(plan, options, run);
    await completeVault(plan.to, vault.id, system.rescue(), run.signal);
    const behind = whyBehind(copied);
    return { ...copied, destination: target.name, requests: target.requests(), behind };
  } catch (failure) {
    return nothing(target.name, sentenceOf(failure), target.requests());
  }
}

function whyBehind({ refused, waiting, silent }: Copied): string | undefined {
  if (silent[0] !== undefined && refused.length > 0) return sentenceOf(silent[0].error);
  if (refused.length > 0) return `${refused.length} objects could not be copied.`;
  return waiting.length > 0 ? `${waiting.length} restore points wait for objects that nobody has sound.` : undefined;
}

function nothing(destination: string, behind: string, requests: Requests = {}): Filled {
  return { destination, objects: 0, bytes: 0, records: 0, refused: [], waiting: [], strange: [], requests, behind };
}

/** Lists side by side; one that fails is left out. */
async function listed(destinations: readonly Destination[], options: { readonly hidden: boolean }, run: Run) {
  const results = await Promise.allSettled(
    destinations.map((destination) => sizesAt(destination, run.signal, options)),
  );
  run.signal.throwIfAborted();
  const holdings: Sizes[] = [];
  const failed: { name: string; error: string }[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') holdings.push(result.value);
    else failed.push({ name: destinations[index]!.name, error: sentenceOf(result.reason) });
  }
  return { holdings, failed };
}

/** Several copies at once, told as one. */
function sharedProgress(run: Run): (totalBytes: number) => Run {
  const all: { totalBytes: number; doneBytes: number }[] = [];
  return (totalBytes) => {
    const own = { totalBytes, doneBytes: 0 };
    all.push(own);
    const sum = (of: 'totalBytes' | 'doneBytes') => all.reduce((total, one) => total + one[of], 0);
    const progress = ({ doneBytes = 0, label }: Progress) => {
      own.doneBytes = doneBytes;
      run.progress({ ...(label && { label }), doneBytes: sum('doneBytes'), totalBytes: sum('totalBytes') });
    };
    return { ...run, progress };
  };
}
