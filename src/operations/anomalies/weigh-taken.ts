import { alteredIn, type Weighed, weigh } from '../../core/anomalies.ts';
import { sentenceOf } from '../../core/errors.ts';
import { leftOutIn } from '../../core/left-out.ts';
import type { Run } from '../../core/run.ts';
import { allowanceOf, measuredOf, measuredPoints, settledOf } from '../../retention/index.ts';
import type { SnapshotRecord } from '../../vault/format/index.ts';
import type { VaultReader } from '../../vault/index.ts';
import type { WriterSession, WrittenRestorePoint } from '../../vault/write/index.ts';
import type { OpenSystem } from '../system.ts';
import { noteCounts, readCounts } from './known-counts.ts';
import { movedWords, originOf } from './origin.ts';
import { readSettled } from './settled.ts';

/**
 * Holds a restore point that was just taken against what this host remembers, without a key. The vault is asked only where nothing
 * is remembered, or something seems lost that a drill or a person on another machine may have settled since.
 */
export async function weighTaken(
  system: OpenSystem,
  session: WriterSession,
  { record, expectations, facts }: Pick<WrittenRestorePoint, 'record' | 'expectations' | 'facts'>,
  reader: () => Promise<VaultReader>,
  run: Run,
): Promise<Weighed> {
  const { stateDir, datasets } = system.config;
  const { vault } = session;
  const config = datasets[record.dataset];
  if (config === undefined) return { state: 'sound' };
  const allowed = allowanceOf(config);
  const leftOut = leftOutIn(facts);
  const origin = originOf(facts);
  const known = readCounts(stateDir, vault, record.dataset);
  const measured = measuredOf(record, expectations);
  const last = known.points.findLast(({ samples }) => samples !== undefined);
  const altered = last === undefined ? [] : alteredIn(last, measured, allowed.holds).map(({ what }) => what);
  const taken = { ...measured, altered, ...(leftOut.length > 0 && { leftOut }), origin };
  const moved = movedWords(known.points.findLast((one) => one.origin)?.origin ?? {}, origin);
  if (moved !== undefined) {
    const message = `${record.dataset} was read from ${moved}. If it did not move, lifeboat.yaml names the wrong one.`;
    run.problem({ code: 'another-origin', message });
  }
  let settled = known.settled;
  let weighed = weigh([...known.points, taken], settled, allowed);
  if (known.points.length === 0 || weighed.state === 'lost') {
    try {
      const all = { points: [...known.points, taken] };
      ({ weighed, settled } = await askVault(system, await reader(), record, all));
    } catch (error) {
      run.signal.throwIfAborted();
      run.problem({
        code: 'history-unread',
        message: `What ${record.dataset} held before could not be read: ${sentenceOf(error)}`,
      });
    }
  }
  noteCounts(stateDir, vault, record.dataset, { points: [taken], ...(settled !== undefined && { settled }) });
  return weighed;
}

async function askVault(
  system: OpenSystem,
  vault: VaultReader,
  { id, dataset }: SnapshotRecord,
  known: ReturnType<typeof readCounts>,
): Promise<{ weighed: Weighed; settled: string | undefined }> {
  const { config } = system;
  const { points } = await vault.of(config.name).restorePoints();
  const last = points.find(({ record }) => record.id === id);
  if (last === undefined) throw new Error(`${id} is not there`);
  const measured = measuredPoints(points, last, known);
  const settled = settledOf(measured, dataset, (await readSettled(system, vault, [dataset])).of(dataset));
  return { weighed: weigh(measured, settled, allowanceOf(config.datasets[dataset]!)), settled };
}
