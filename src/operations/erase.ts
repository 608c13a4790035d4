import { showPath } from '../core/paths.ts';
import type { Run } from '../core/run.ts';
import { emptyLedger } from '../ledger/decisions.ts';
import { lastOfWriters } from '../retention/index.ts';
import { announcedAt, pointsOf, type RestorePoint, type VaultReader } from '../vault/index.ts';
import { refuseNewer } from '../vault/prune/index.ts';
import { noteInLedger } from './note-in-ledger.ts';
import { readPruneLedger } from './pins.ts';
import { eraseNewest, eraseNothing, erasePinned, noSuchPoint } from './prune-errors.ts';
import type { OpenSystem } from './system.ts';

export interface EraseRequest {
  readonly dataset: string;
  /** Restore points that hold any of these paths, or anything below them. */
  readonly paths: readonly string[];
  /** Ids of restore points. */
  readonly points: readonly string[];
  /** Sealed in the ledger, like the paths. */
  readonly reason: string;
  /** Only with `paths`: looking into restore points takes a key. */
  readonly identities: readonly string[];
}

export interface Erased {
  readonly points: readonly RestorePoint[];
}

/**
 * Says that restore points go before their time. The next prunes remove them as any other: marked, after the grace, once no
 * lock holds them and nothing else needs what they share.
 * @throws `prune-newer`, `restore-point-unknown`, `erase-newest`, `erase-pinned`, `erase-nothing`
 */
export async function erase(
  system: OpenSystem,
  vault: VaultReader,
  { dataset, paths, points: ids, reason, identities }: EraseRequest,
  run: Run,
): Promise<Erased> {
  const { points, suspect } = await vault.pointsOfAll();
  const announced = await Promise.all(
    vault.destinations.map((one) => announcedAt(one, vault.id, vault.trust, { deletes: true })),
  );
  refuseNewer([...suspect, ...announced.flatMap(({ found }) => found)]);
  const own = pointsOf(system.config.name, points).filter(({ record }) => record.dataset === dataset);
  const chosen = new Map<string, RestorePoint>();
  for (const id of ids) {
    const point = own.find(({ record }) => record.id === id);
    if (point === undefined) throw noSuchPoint({ id });
    chosen.set(id, point);
  }
  if (paths.length > 0) {
    for (const [at, point] of own.entries()) {
      run.progress({ label: 'restore points', doneItems: at, totalItems: own.length });
      if (await holdsAny(vault, point, paths, identities, run)) chosen.set(point.record.id, point);
    }
  }
  if (chosen.size === 0) throw eraseNothing({ dataset });
  const last = lastOfWriters(points, emptyLedger).find(({ record }) => chosen.has(record.id));
  if (last !== undefined) throw eraseNewest({ id: last.record.id });
  const { pins } = await readPruneLedger(vault);
  for (const id of chosen.keys()) {
    const pin = pins.get(id);
    if (pin !== undefined && (pin.untilMs ?? Number.POSITIVE_INFINITY) > system.clock.now()) {
      throw erasePinned({ id, reason: pin.reason });
    }
  }
  const erased = [...chosen.values()];
  const body = { points: [...chosen.keys()].sort(), count: erased.length };
  await noteInLedger(system, vault.id, { kind: 'erase', body, details: { dataset, reason, paths } }, run);
  return { points: erased };
}

async function holdsAny(
  vault: VaultReader,
  point: RestorePoint,
  paths: readonly string[],
  identities: readonly string[],
  run: Run,
): Promise<boolean> {
  const contents = await vault.open(point, identities);
  // As a shell completes a folder's name, and as somebody types it who thinks of its place.
  const named = paths.map((path) => path.replace(/^(\.\/)+/, '').replace(/\/+$/, ''));
  for await (const entry of contents.entries()) {
    run.signal.throwIfAborted();
    const shown = showPath(entry.path);
    if (named.some((path) => shown === path || shown.startsWith(`${path}/`))) return true;
  }
  return false;
}
