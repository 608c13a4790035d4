import { unhurried } from '../../core/breathe.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key, Lock } from '../../destinations/destination.ts';
import { objectMissing } from '../../destinations/errors.ts';
import { traceOf } from '../../destinations/first-version.ts';
import type { Holdings } from '../hold/holdings.ts';
import { type LockNeed, type LockNeeds, versionsToLock } from './decide.ts';

/** What is known of locks without asking again. A lock never becomes shorter, so what was seen once holds. */
export interface LockMemory {
  get(destination: string, key: Key): KnownLock | undefined;
  note(destination: string, key: Key, lock: KnownLock): void;
}

export interface KnownLock {
  readonly untilMs: number;
  /** When the store was asked last; 0: it never was, and the lock follows from how objects are stored there. */
  readonly seenMs: number;
}

/** How a destination's locks are after a keep. */
export interface KeptLocks {
  readonly destination: string;
  /** Objects that restore points need there. */
  readonly objects: number;
  /** Versions whose lock was made longer. */
  readonly extended: number;
  /** Objects that are not there: `verify` says which restore points that touches. */
  readonly missing: number;
  /** Objects without any lock. */
  readonly unlocked: number;
  /** When the first lock ends; undefined where something needed is not locked at all. */
  readonly untilMs: number | undefined;
  /** What stopped the work before its end; then the rest is as it was. */
  readonly failed: string | undefined;
}

export interface KeepRequest {
  readonly destination: Destination;
  readonly needs: Pick<LockNeeds, 'size' | 'all'>;
  /** What a listing showed; what is not in it is looked up when its lock has to be extended. */
  readonly holdings?: Pick<Holdings, 'get'>;
  readonly memory: LockMemory;
  /** By the store's clock. */
  readonly nowMs: number;
  /** A lock that was seen longer ago is looked at again. */
  readonly rememberedMs: number;
  readonly dryRun: boolean;
  readonly run: Run;
}

/** Small requests, mostly waiting. */
const atOnce = 8;

/**
 * Makes locks longer where what is known of them does not reach as far as the need. Reads no object. What fails ends the work at
 * this destination; what was extended stays so.
 */
export async function keepLocks(request: KeepRequest): Promise<KeptLocks> {
  const { destination, needs, run } = request;
  const tally = { extended: 0, missing: 0, unlocked: 0, untilMs: Number.POSITIVE_INFINITY, done: 0 };
  const queue = unhurried(needs.all(), run.signal);
  let failed: string | undefined;

  const line = async () => {
    for await (const need of queue) {
      if (failed !== undefined) return;
      run.signal.throwIfAborted();
      const { untilMs, extended } = await keepOne(request, need);
      tally.extended += extended;
      if (untilMs === undefined) tally.missing++;
      else if (untilMs === 0) tally.unlocked++;
      tally.untilMs = Math.min(tally.untilMs, untilMs ?? Number.POSITIVE_INFINITY);
      run.progress({ label: destination.name, doneItems: ++tally.done, totalItems: needs.size });
    }
  };
  const lines = await Promise.allSettled(
    Array.from({ length: atOnce }, () =>
      line().catch((error: unknown) => {
        failed ??= sentenceOf(error);
        throw error;
      }),
    ),
  );
  run.signal.throwIfAborted();
  const broken = lines.find((settled) => settled.status === 'rejected');
  const known = broken === undefined && tally.unlocked === 0 && Number.isFinite(tally.untilMs);
  return {
    destination: destination.name,
    objects: needs.size,
    extended: tally.extended,
    missing: tally.missing,
    unlocked: tally.unlocked,
    untilMs: known ? tally.untilMs : undefined,
    failed,
  };
}

interface KeptOne {
  /** When the object's lock ends; 0 without one, undefined without the object. */
  readonly untilMs: number | undefined;
  readonly extended: number;
}

async function keepOne(request: KeepRequest, need: LockNeed): Promise<KeptOne> {
  const { destination, memory, nowMs, rememberedMs, dryRun, holdings } = request;
  const known = memory.get(destination.name, need.key);
  const isFresh = known !== undefined && nowMs - known.seenMs < rememberedMs;
  if (known !== undefined && isFresh && known.untilMs >= need.enoughMs) return { untilMs: known.untilMs, extended: 0 };

  const trace = holdings === undefined ? await traceOf(destination, need.key) : holdings.get(need.key);
  const versions = trace === undefined ? [] : versionsToLock(trace, need);
  let untilMs: number | undefined;
  let extended = 0;
  for (const version of versions) {
    const before = await lockOf(destination, need.key, version);
    if (before === undefined) continue;
    let endMs = before.untilMs;
    if (endMs < need.enoughMs) {
      extended++;
      if (!dryRun) endMs = (await destination.history!.extendLock(need.key, version, need.untilMs)).untilMs;
    }
    // The sound version is one of these, so the first end counts.
    untilMs = Math.min(untilMs ?? endMs, endMs);
  }
  if (untilMs !== undefined && !dryRun) memory.note(destination.name, need.key, { untilMs, seenMs: nowMs });
  return { untilMs, extended };
}

/** Undefined when the version is gone; an end of 0 where it has no lock. */
async function lockOf(destination: Destination, key: Key, version: string): Promise<Pick<Lock, 'untilMs'> | undefined> {
  try {
    return (await destination.history?.lockOf(key, version)) ?? { untilMs: 0 };
  } catch (error) {
    if (objectMissing.is(error)) return undefined;
    throw error;
  }
}
