import type { Run } from '../../../core/run.ts';
import type { RestorePoint } from '../../../vault/vault.ts';
import type { Copy, Drill } from '../parts.ts';
import type { History } from './history.ts';

/**
 * A URL that names another server than before may be a move, or the wrong server: its data proves itself. @returns what to say of it;
 * undefined where it is the same, or nobody knows
 */
export async function anotherServer(copy: Copy, drill: Drill, history: History, run: Run): Promise<string | undefined> {
  const { dataset, point, contents } = copy;
  const now = contents.facts.systemIdentifier;
  if (typeof now !== 'string') return undefined;
  const before = await pointBefore(dataset, point, history);
  if (before === undefined) return undefined;
  run.signal.throwIfAborted();
  const { facts } = await drill.parts.vault.open(before, drill.parts.identities);
  const was = facts.systemIdentifier;
  if (typeof was !== 'string' || was === now) return undefined;
  return `${dataset} was read from another server than restore point ${before.record.id} of ${before.record.time}. If it did not move, its URL is wrong.`;
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
