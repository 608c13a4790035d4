import { type Locks, openLocks } from '../catalog/locks.ts';
import { dayMs } from '../core/duration.ts';
import { sentenceOf } from '../core/errors.ts';
import type { Run } from '../core/run.ts';
import type { Destination } from '../destinations/destination.ts';
import { type KeptRestorePoint, keepLocks, lockNeeds, notingLocks } from '../vault/keep/index.ts';
import { hasOwnCredentials } from './destination-options.ts';
import { type KeepOutcome, keepAll, knownBirthMs, rememberedMs } from './keep-all.ts';
import type { OpenSystem } from './system.ts';

/**
 * Makes every lock reach as far as the restore points that need the object. With the keeper's credentials; reads records and the
 * ledger, no pack, and needs no key. @throws `vault-missing`, `no-destination-left`
 */
export async function keep(system: OpenSystem, request: { readonly dryRun: boolean }, run: Run): Promise<KeepOutcome> {
  using locks = openLocks(system.config.stateDir);
  const outcome = await keepAll(system, locks, request.dryRun, run);
  for (const { destination, failed } of outcome.locks) {
    if (failed !== undefined) run.problem({ code: 'keep-failed', message: `${destination}: ${failed}` });
  }
  return outcome;
}

/** Looks after the locks of what one backup stores. */
export interface BackupLocks extends Disposable {
  /** The same destinations; when the lock of each new object ends is remembered, so that it need not be asked for. */
  readonly destinations: readonly Destination[];
  /**
   * Before the backup reports: once a day everything, otherwise what the new restore points use again and whose lock ends too
   * soon. Usually that is nothing, and costs no request. Credentials that do not permit it are no fault here: a keeper elsewhere
   * does it, and `status` watches.
   */
  keepTaken(points: readonly KeptRestorePoint['point'][], run: Run): Promise<void>;
}

export function locksOfBackup(system: OpenSystem, destinations: readonly Destination[]): BackupLocks {
  const lockable = destinations.filter(hasLocks);
  if (lockable.length === 0) return { destinations, keepTaken: async () => {}, [Symbol.dispose]: () => {} };
  const locks = openLocks(system.config.stateDir);
  return {
    destinations: destinations.map((destination) => {
      const birthMs = hasLocks(destination) ? knownBirthMs(system.config, destination.name, locks) : undefined;
      return birthMs === undefined ? destination : notingLocks(destination, locks, birthMs, system.clock);
    }),
    async keepTaken(points, run) {
      if (points.length === 0) return;
      try {
        const nowMs = system.clock.now();
        const isDue = lockable.some(({ name }) => Math.abs(nowMs - (locks.last(name)?.keptMs ?? 0)) > dayMs);
        if (isDue) await keepAll(system, locks, false, run);
        else await keepReused(system, lockable, points, locks, run);
      } catch (error) {
        run.signal.throwIfAborted();
        run.problem({ code: 'keep-failed', message: `The locks were not looked after: ${sentenceOf(error)}` });
      }
    },
    [Symbol.dispose]: () => locks[Symbol.dispose](),
  };
}

/**
 * First the locks, then the deletions: what stays is locked for longer before anything is taken away. Credentials that do not
 * permit it do not stop a prune, which removes nothing that is needed; `status` watches the locks.
 */
export async function keepBeforePrune(system: OpenSystem, run: Run): Promise<void> {
  using locks = openLocks(system.config.stateDir);
  try {
    await run.step('keep', (run) => keepAll(system, locks, false, run));
  } catch (error) {
    run.signal.throwIfAborted();
    run.problem({ code: 'keep-failed', message: `The locks were not looked after: ${sentenceOf(error)}` });
  }
}

async function keepReused(
  system: OpenSystem,
  lockable: readonly Destination[],
  points: readonly KeptRestorePoint['point'][],
  locks: Locks,
  run: Run,
): Promise<void> {
  const nowMs = system.clock.now();
  const kept = points.map((point) => ({ point }));
  let keepers: readonly Destination[] | undefined;
  for (const destination of lockable) {
    const { name } = destination;
    const birthMs = knownBirthMs(system.config, name, locks);
    if (birthMs === undefined) continue;
    const needs = lockNeeds(kept, [], { nowMs, birthMs });
    for (const { key, enoughMs } of needs.all()) {
      if ((locks.get(name, key)?.untilMs ?? 0) >= enoughMs) needs.take(key);
    }
    if (needs.size === 0) continue;
    const isParted = hasOwnCredentials(system.config.destinations[name]!, 'keeper');
    if (isParted) keepers ??= (await system.destinations({ create: false, role: 'keeper' })).opened;
    const keeper = keepers?.find((other) => other.name === name) ?? destination;
    await keepLocks({ destination: keeper, needs, memory: locks, nowMs, rememberedMs, dryRun: false, run });
  }
}

function hasLocks({ history, capabilities }: Destination): boolean {
  return history !== undefined && capabilities.objectLock !== 'none';
}
