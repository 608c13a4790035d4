import type { Run } from '../core/run.ts';
import type { Restored } from '../sources/source.ts';
import { restorePointMissing, writerUnknown } from '../vault/errors.ts';
import { type Choice, chooseNewest, type PassedOver, tellPassedOver } from '../vault/newest.ts';
import type { Damage } from '../vault/read/objects.ts';
import type { RestorePoint, RestorePoints } from '../vault/vault.ts';
import { recorded } from './record-run.ts';
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
  return recorded(system, { operation: 'restore', dataset }, run, async () => {
    const { id, point, passedOver, contents } = await run.step('find', async () => {
      const vault = await system.vault((found) => damage.push(found));
      const { point, passedOver } = choose(await vault.restorePoints(), request, system.config.name);
      for (const { code, why } of point.doubts)
        run.problem({ code, message: `Restore point ${point.record.id} is doubtful: ${why}.` });
      tellPassedOver(passedOver, run);
      return { id: vault.id, point, passedOver, contents: await vault.open(point, request.identities) };
    });
    const target = {
      force: request.force,
      only: request.only,
      ...(request.into !== undefined && { into: request.into }),
    };
    const restored = await run.step('restore', () => source.restore(contents, target, run));
    const elapsedMs = system.clock.elapsed() - started;
    return { result: { vault: id, point, passedOver, restored, damage, elapsedMs }, restorePoint: point.record.id };
  });
}

function choose(
  { points: found, suspect }: RestorePoints,
  { dataset, atMs, id, acceptWriters = [] }: RestoreRequest,
  system: string,
): Choice {
  const points = found.map((point) => (acceptWriters.includes(point.record.writer) ? withKnownWriter(point) : point));
  if (id === undefined) {
    // One vault may serve several systems, each with a dataset of that name.
    const own = points.filter(({ record }) => record.system === system);
    return chooseNewest({ points: own, suspect }, dataset, atMs);
  }
  const chosen = points.find(({ record }) => record.dataset === dataset && record.id === id);
  if (chosen === undefined) throw restorePointMissing({ dataset, at: id });
  const { writer } = chosen.record;
  if (chosen.doubts.some(({ code }) => code === 'writer-unknown')) throw writerUnknown({ id, writer });
  return { point: chosen, passedOver: [] };
}

function withKnownWriter(point: RestorePoint): RestorePoint {
  return { ...point, doubts: point.doubts.filter(({ code }) => code !== 'writer-unknown') };
}
