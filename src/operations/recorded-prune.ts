import type { Run } from '../core/run.ts';
import { type PruneOutcome, prune } from './prune.ts';
import type { PruneRequest } from './prune-plan.ts';
import { recorded } from './record-run.ts';
import type { OpenSystem } from './system.ts';

/** The same as `prune`, and noted in the catalog, so that `status` can tell of one that was stopped. */
export async function recordedPrune(system: OpenSystem, request: PruneRequest, run: Run): Promise<PruneOutcome> {
  if (request.dryRun) return prune(system, request, run);
  return recorded(system, { operation: 'prune' }, run, async (run) => {
    const result = await prune(system, request, run);
    return { result, isNo: result.places.some(({ swept }) => swept?.failed !== undefined) };
  });
}
