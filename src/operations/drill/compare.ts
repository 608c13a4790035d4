import type { Run } from '../../core/run.ts';
import { checkExpectations } from './checks/expectations.ts';
import { unlessEmpty } from './checks/history.ts';
import { checkIntegrity } from './checks/integrity.ts';
import { unlessRefused } from './checks/restored.ts';
import { findingOf } from './faults.ts';
import { noteLedOut } from './led-out.ts';
import type { Copy, Drill, Rehearsal } from './parts.ts';
import { conductCheck, record } from './results.ts';

/** Measures the copy, once for both: the engine's own checks are recorded here, the comparison by `compareWithRecorded`. */
export async function examine(copy: Copy, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<void> {
  const { dataset, contents } = copy;
  const source = drill.parts.sources[dataset];
  if (source === undefined) return;
  const began = run.clock.elapsed();
  try {
    const recorded = contents.expectations ?? { algorithm: 'none', tables: [] };
    const measured = await source.measure(copy.outside, recorded, run, contents, copy.restored.unset);
    rehearsal.measured.set(dataset, measured);
    noteLedOut(dataset, measured.leadsOut ?? [], drill);
    const elapsedMs = run.clock.elapsed() - began;
    for (const one of measured.integrity) {
      record(
        rehearsal,
        { id: `${dataset}/${one.name}`, kind: 'integrity', dataset },
        unlessRefused(checkIntegrity(one), copy),
        elapsedMs,
        drill.secrets,
      );
    }
  } catch (error) {
    run.signal.throwIfAborted();
    const about = { id: `${dataset}/integrity`, kind: 'integrity', dataset } as const;
    record(rehearsal, about, findingOf(error, 'a copy that can be read'), run.clock.elapsed() - began, drill.secrets);
  }
}

/** What was measured against what the backup recorded of its own snapshot. */
export async function compareWithRecorded(copy: Copy, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<void> {
  const { dataset, contents, restored } = copy;
  const measured = rehearsal.measured.get(dataset);
  if (measured === undefined) return;
  const { expectations, facts } = contents;
  const mayBeEmpty = drill.parts.system.datasets[dataset]?.mayBeEmpty !== undefined;
  const compare = async () => {
    const compared = checkExpectations(expectations, expectations && measured.actual, facts, restored.notCompared);
    return unlessRefused(unlessEmpty(compared, contents, mayBeEmpty), copy);
  };
  const about = { id: `${dataset}/expectations`, kind: 'expectations', dataset } as const;
  await conductCheck(rehearsal, drill, about, compare, run);
}
