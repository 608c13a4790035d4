import { holdsNothing, rowsOf, samplesOf } from '../../../core/anomalies.ts';
import { type Expectations, notComparedIn } from '../../../core/expectations.ts';
import type { Run } from '../../../core/run.ts';
import { measuredPoints, settledOf, weighPoints } from '../../../retention/index.ts';
import type { Contents } from '../../../sources/source.ts';
import type { RestorePoint } from '../../../vault/index.ts';
import { noteCounts, readCounts } from '../../anomalies/known-counts.ts';
import { openCounts, withCounts } from '../../anomalies/open-counts.ts';
import { readSettled, type SettledPoints } from '../../anomalies/settled.ts';
import { lossHelp, lossSentence, nothingToCompare } from '../../anomalies/words.ts';
import type { Copy, Drill, DrillParts, Finding } from '../parts.ts';
import { notComparedWords } from './expectations.ts';

/** What a drill knows of what was before; the ledger is read once, when the first dataset is back. */
export interface History {
  readonly points: readonly RestorePoint[];
  settled(): Promise<SettledPoints>;
}

export function historyOf({ vault, system }: DrillParts, points: readonly RestorePoint[], run: Run): History {
  let reading: Promise<SettledPoints> | undefined;
  const open = { config: system, clock: run.clock };
  return { points, settled: () => (reading ??= readSettled(open, vault, Object.keys(system.datasets))) };
}

/** An empty copy equals an empty original, and that proves nothing: unless the configuration says why it may be empty. */
export function unlessEmpty(
  finding: Finding,
  { expectations: recorded, facts }: Pick<Contents, 'expectations' | 'facts'>,
  mayBeEmpty: boolean,
): Finding {
  if (finding.verdict !== 'pass' || recorded === undefined || mayBeEmpty || !holdsNothing(recorded)) return finding;
  const notCompared = notComparedIn(facts);
  return {
    verdict: 'error',
    looked: 0,
    expected: 'data to compare',
    actual: finding.actual,
    message: notCompared.length === 0 ? nothingToCompare : `No row of it was compared.${notComparedWords(notCompared)}`,
  };
}

/**
 * Holds what came back against the restore points before it. Undefined where nothing is lost: then the comparison with its own
 * record is all there is to say.
 */
export async function checkHistory(
  copy: Copy,
  { parts, notes }: Drill,
  { points, settled: allSettled }: History,
  actual: Expectations | undefined,
  run: Run,
): Promise<Finding | undefined> {
  const { vault, system, stateDir, identities } = parts;
  const { dataset, point, contents } = copy;
  const config = system.datasets[dataset];
  if (config === undefined) return undefined;
  const known = readCounts(stateDir, vault.id, dataset);
  const blind = measuredPoints(points, point, known);
  const settled = (await allSettled()).of(dataset);
  const settledId = settledOf(blind, dataset, settled);

  const now = blind.at(-1);
  // What came back, not what its own manifest says of it.
  const recorded = actual ?? contents.expectations;
  const options = { settled: settledId, identities, signal: run.signal };
  const opened = await openCounts(vault, points, blind, options);
  if (now !== undefined && recorded !== undefined) {
    opened.push({ ...now, rows: rowsOf(recorded), samples: samplesOf(recorded) });
  }
  const measured = withCounts(blind, opened);
  const weighed = weighPoints(measured, config, settled);
  noteCounts(stateDir, vault.id, dataset, { points: opened, ...(settledId !== undefined && { settled: settledId }) });
  for (const { reason, at, point: of } of settled.acceptances) {
    if (of === settledId) notes.push(`${dataset}: a loss of data was accepted ${at.slice(0, 16)}Z: ${reason}`);
  }
  if (weighed.state !== 'lost') return undefined;
  const [restore, accept] = lossHelp(dataset, point.record.id, weighed.since.id);
  return {
    verdict: 'fail',
    looked: measured.length,
    expected: `not much less than in restore point ${weighed.since.id}`,
    actual: weighed.losses
      .map(({ what, before, now, altered }) => `${what}: ${altered?.how ?? `${now} of ${before}`}`)
      .join(', '),
    message: `${lossSentence(weighed)} ${restore}. ${accept}`,
  };
}
