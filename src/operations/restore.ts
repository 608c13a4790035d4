import type { Run } from '../core/run.ts';
import type { Restored } from '../sources/source.ts';
import type { Damage } from '../vault/hold/index.ts';
import {
  type Choice,
  chooseNewest,
  isStrange,
  keysOf,
  type PassedOver,
  type RestorePoint,
  restorePointMissing,
  tellPassedOver,
  type VaultReader,
  writerUnknown,
} from '../vault/index.ts';
import type { OpenSystem } from './system.ts';

export interface RestoreRequest {
  readonly dataset: string;
  /** The newest restore point not younger than this, milliseconds since 1970 UTC; the newest of all when absent. */
  readonly atMs?: number;
  /** This very restore point. */
  readonly id?: string;
  /** Public keys of writers that are believed for this restore, besides those that are known. */
  readonly acceptWriters?: readonly string[];
  readonly into?: string;
  readonly force: boolean;
  /** See `RestoreTarget`. */
  readonly trustCode: boolean;
  readonly numericOwners?: boolean;
  /** Paths or tables; everything when empty. */
  readonly only: readonly string[];
  readonly identities: readonly string[];
}

export interface RestoreOutcome {
  readonly vault: string;
  readonly point: RestorePoint;
  /** Newer restore points that were not believed; none where a point was named by its id. */
  readonly passedOver: readonly PassedOver[];
  readonly restored: Restored;
  /** Copies that could not be used; sound ones served instead. */
  readonly damage: readonly Damage[];
  readonly elapsedMs: number;
}

/** Brings one dataset back. What was at the target before stays until the restore is whole. */
export async function restore(system: OpenSystem, request: RestoreRequest, run: Run): Promise<RestoreOutcome> {
  const { dataset } = request;
  const started = system.clock.elapsed();
  const damage: Damage[] = [];
  const source = await system.source(dataset);
  const { id, point, passedOver, contents } = await run.step('find', async (run) => {
    const { name } = system.config;
    const vault = accepting(await system.vault((found) => damage.push(found)), request.acceptWriters ?? [], name);
    const { point, passedOver } = await choose(vault, request, name);
    for (const { code, why } of point.doubts)
      run.problem({ code, message: `Restore point ${point.record.id} is doubtful: ${why}.` });
    tellPassedOver(passedOver, run);
    return { id: vault.id, point, passedOver, contents: await vault.open(point, request.identities) };
  });
  const target = {
    force: request.force,
    only: request.only,
    trustCode: request.trustCode,
    numericOwners: request.numericOwners ?? false,
    ...(request.into !== undefined && { into: request.into }),
  };
  const restored = await run.step('restore', (run) => source.restore(contents, target, run));
  const elapsedMs = system.clock.elapsed() - started;
  return { vault: id, point, passedOver, restored, damage, elapsedMs };
}

/** One that is named by its id is taken although it is doubtful: a person chose it. Not a stranger's. */
async function choose(vault: VaultReader, { dataset, atMs, id }: RestoreRequest, system: string): Promise<Choice> {
  if (id === undefined) return chooseNewest(await vault.of(system).restorePoints(), dataset, atMs);
  const { points } = await vault.pointsOfAll();
  const named = points.filter(({ record }) => record.dataset === dataset && record.id === id);
  const chosen = named.find((point) => !isStrange(point)) ?? named[0];
  if (chosen === undefined) throw restorePointMissing({ dataset, at: id });
  if (isStrange(chosen)) throw writerUnknown({ id, writer: chosen.record.writer });
  return { point: chosen, passedOver: [] };
}

/** The same vault, where these keys count for `system` too. */
function accepting(vault: VaultReader, keys: readonly string[], system: string): VaultReader {
  const { writers } = vault.trust;
  if (keys.length === 0 || writers === undefined) return vault;
  const known = [...writers].map(([key, systems]) => ({ key, systems: [...systems] }));
  const accepted = keys.map((key) => ({ key, systems: [system] }));
  return vault.judgedBy({ ...vault.trust, writers: keysOf([...known, ...accepted]) });
}
