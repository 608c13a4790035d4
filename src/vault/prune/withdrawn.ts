import type { SnapshotRecord } from '../format/record.ts';
import type { GenerationView } from './view.ts';

/**
 * A prune withdraws a restore point by naming its manifest. Until its record is removed it can still be restored; it is not
 * copied to another destination, nor healed, any more.
 */
export function isWithdrawn(
  view: Pick<GenerationView, 'tombstones'>,
  record: Pick<SnapshotRecord, 'manifest'>,
): boolean {
  return view.tombstones.has(record.manifest[0]);
}
