import type { Comparison } from './compare.ts';
import type { Conditions } from './conditions.ts';
import { phases } from './contender.ts';

const ours = 'lifeboat';

/** A line of the table: the figure of each contender, and for the others the ratio ours/theirs. */
export interface Row {
  readonly what: string;
  readonly cells: ReadonlyArray<{ readonly contender: string; readonly figure: string; readonly ratio?: number }>;
}

export function rowsOf(comparison: Comparison): Row[] {
  const { contenders, figures, stored } = comparison;
  const pick = (contender: string, phase: string) =>
    figures.find((found) => found.contender === contender && found.phase === phase)!;
  const kept = (contender: string) => stored.find((found) => found.contender === contender)!;
  const row = (
    what: string,
    values: (contender: string) => readonly number[],
    show: (value: number) => string,
  ): Row => ({
    what,
    cells: contenders.map((contender) => {
      const figure = show(median(values(contender)));
      if (contender === ours || !contenders.includes(ours)) return { contender, figure };
      const ratio = medianRatio(values(ours), values(contender));
      // What was over before it could be sampled has no figure to compare with.
      return { contender, figure, ...(Number.isFinite(ratio) && ratio > 0 && { ratio }) };
    }),
  });
  return [
    ...phases.map((phase) => row(phase, (contender) => pick(contender, phase).wallMs, seconds)),
    ...(['first backup', 'restore'] as const).map((phase) =>
      row(`CPU, ${phase}`, (contender) => pick(contender, phase).cpuMs, seconds),
    ),
    row('stored, first', (contender) => kept(contender).first, mebibytes),
    row('stored, after change', (contender) => kept(contender).changed, mebibytes),
    ...(['first backup', 'restore'] as const).map((phase) =>
      row(`peak memory, ${phase}`, (contender) => pick(contender, phase).peakBytes, mebibytes),
    ),
  ];
}

/** Ratios are taken within each run, where both met the same machine, and the median of them is shown. */
export function medianRatio(mine: readonly number[], theirs: readonly number[]): number {
  return median(mine.map((value, run) => value / theirs[run]!));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function showComparison(comparison: Comparison): string {
  const { subject, contenders } = comparison;
  const size = `${subject.files === undefined ? '' : `${subject.files.toLocaleString('en')} files, `}${mebibytes(subject.bytes)}`;
  const lines = [`${subject.title}: ${size}`, ''];
  const column = 22;
  lines.push(' '.repeat(25) + contenders.map((name) => name.padStart(column)).join(''));
  for (const { what, cells } of rowsOf(comparison)) {
    const shown = cells.map(({ figure, ratio }) => {
      return `${figure}${ratio === undefined ? '' : `  ${ratio.toFixed(2)}×`.padStart(8)}`.padStart(column);
    });
    lines.push(what.padEnd(25) + shown.join(''));
  }
  return lines.join('\n');
}

export function showConditions(conditions: Conditions, runs: number): string {
  const { cpu, cores, load, memoryBytes, kernel, node, commit, fileSystem, versions } = conditions;
  return [
    `${cpu}, ${cores} cores, ${mebibytes(memoryBytes)}; kernel ${kernel}; ${fileSystem}; Node ${node}; commit ${commit}`,
    ...Object.values(versions),
    ...(load > cores / 4
      ? [`The machine was busy when this began (load ${load.toFixed(1)}): measure again when it is not.`]
      : []),
    `Medians of ${runs} paired runs, page cache warm. 0.50× means: Lifeboat took half of what that tool took.`,
    'Memory: the sum of the high-water marks of all processes of the command, sampled every 20 ms.',
  ].join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0)} MiB`;
}
