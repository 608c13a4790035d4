import type { Run } from '../../../core/run.ts';
import type { RestorePoint } from '../../../vault/index.ts';
import { movedWords, originOf } from '../../anomalies/origin.ts';
import type { Copy, Drill } from '../parts.ts';
import type { History } from './history.ts';

/**
 * A configuration that names another server, database or path than before may be a move, or a mistake: its data proves itself.
 * @returns what to say of it; undefined where it is the same, or nobody knows
 */
export async function anotherOrigin(copy: Copy, drill: Drill, history: History, run: Run): Promise<string | undefined> {
  const { dataset, point, contents } = copy;
  const before = await pointBefore(dataset, point, history);
  if (before === undefined) return undefined;
  run.signal.throwIfAborted();
  const { facts } = await drill.parts.vault.open(before, drill.parts.identities);
  const moved = movedWords(originOf(facts), originOf(contents.facts));
  if (moved === undefined) return undefined;
  const since = `restore point ${before.record.id} of ${before.record.time}`;
  return `${dataset} was read from ${moved} since ${since}. If it did not move, lifeboat.yaml names the wrong one.`;
}

/** The last that was proved; else the one before. */
async function pointBefore(
  dataset: string,
  { record }: RestorePoint,
  { points, settled }: History,
): Promise<RestorePoint | undefined> {
  const older = points.filter((one) => one.record.dataset === dataset && one.record.time < record.time);
  const proved = new Set((await settled()).of(dataset).proved);
  return older.findLast((one) => proved.has(one.record.id)) ?? older.at(-1);
}
