/** A line that only the one text has, or only the other. */
export interface ChangedLine {
  readonly sign: '-' | '+';
  readonly line: string;
}

/** The table of a comparison has so many cells at most; larger texts are taken as changed from the first difference to the last. */
const mostCells = 4_000_000;

/** The lines by which `to` differs from `from`, in order; none where they are the same. */
export function changedLines(from: readonly string[], to: readonly string[]): ChangedLine[] {
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start++;
  let end = 0;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end++;
  const gone = from.slice(start, from.length - end);
  const come = to.slice(start, to.length - end);
  if ((gone.length + 1) * (come.length + 1) > mostCells) return [...signed('-', gone), ...signed('+', come)];
  return fewest(gone, come);
}

/** By the longest common subsequence. */
function fewest(gone: readonly string[], come: readonly string[]): ChangedLine[] {
  const width = come.length + 1;
  const common = new Uint32Array((gone.length + 1) * width);
  for (let at = gone.length - 1; at >= 0; at--) {
    for (let by = come.length - 1; by >= 0; by--) {
      const here = at * width + by;
      common[here] =
        gone[at] === come[by] ? common[here + width + 1]! + 1 : Math.max(common[here + width]!, common[here + 1]!);
    }
  }
  const changed: ChangedLine[] = [];
  let [at, by] = [0, 0];
  while (at < gone.length && by < come.length) {
    if (gone[at] === come[by]) {
      at++;
      by++;
    } else if (common[(at + 1) * width + by]! >= common[at * width + by + 1]!) {
      changed.push({ sign: '-', line: gone[at++]! });
    } else changed.push({ sign: '+', line: come[by++]! });
  }
  return [...changed, ...signed('-', gone.slice(at)), ...signed('+', come.slice(by))];
}

function signed(sign: ChangedLine['sign'], lines: readonly string[]): ChangedLine[] {
  return lines.map((line) => ({ sign, line }));
}
