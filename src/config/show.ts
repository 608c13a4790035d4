import { formatDuration } from '../core/duration.ts';
import { intervalFor } from '../core/objectives.ts';
import { formatSize } from '../core/size.ts';
import type { Check, DatasetConfig, System } from './system.ts';

/** The whole configuration as plain values, defaults filled in; `leavesOut` by dataset. References stay references: no secret is looked up. */
export function showable(system: System, leavesOut: Readonly<Record<string, readonly object[]>>): object {
  const { name, environment, file, stateDir, vault, destinations, datasets, drill } = system;
  return {
    system: name,
    environment,
    file,
    stateDir,
    vault,
    destinations,
    datasets: Object.fromEntries(Object.entries(datasets).map(([key, one]) => [key, showDataset(one, leavesOut[key])])),
    drill: {
      every: formatDuration(drill.everyMs),
      limits: showLimits(drill.limits),
      app: drill.app && readable(drill.app),
      checks: Object.fromEntries(drill.checks.map((check) => [check.id, showCheck(check)])),
      skip: Object.fromEntries(drill.skip.map(({ what, reason }) => [what, reason])),
    },
  };
}

/** `backupEvery` and `leavesOut` are no keys of the file: one follows from the RPO, the other is what all rules come to. */
function showDataset({ name: _, ...dataset }: DatasetConfig, leavesOut: readonly object[] | undefined): object {
  return {
    ...Object(readable(dataset)),
    ...(leavesOut && { leavesOut }),
    backupEvery: formatDuration(intervalFor(dataset.rpoMs)),
  };
}

function showLimits({ memoryBytes, diskBytes, timeMs, ...counts }: System['drill']['limits']): object {
  return {
    ...(memoryBytes !== undefined && { memory: formatSize(memoryBytes) }),
    ...(diskBytes !== undefined && { disk: formatSize(diskBytes) }),
    ...counts,
    ...(timeMs !== undefined && { time: formatDuration(timeMs) }),
  };
}

function showCheck({ id: _, ...check }: Check): unknown {
  return readable(check);
}

/** Durations as words, references as written, conditions as their text. */
function readable(value: unknown, key = ''): unknown {
  if (typeof value === 'number' && key.endsWith('Ms')) return formatDuration(value);
  if (Array.isArray(value)) return value.map((item) => readable(item));
  if (value === null || typeof value !== 'object') return value;
  if ('shown' in value && 'expand' in value) return value.shown;
  if ('kind' in value && 'text' in value && typeof value.text === 'string') return value.text;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name.replace(/Ms$/, ''), readable(item, name)]),
  );
}
