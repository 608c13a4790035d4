/** The largest of what `of` says of each, and at least `start`. As arguments of `Math.max` a long history does not fit on the stack. */
export function largestOf<One>(all: Iterable<One>, of: (one: One) => number, start = Number.NEGATIVE_INFINITY): number {
  let largest = start;
  for (const one of all) largest = Math.max(largest, of(one));
  return largest;
}

/** The smallest likewise. */
export function smallestOf<One>(all: Iterable<One>, of: (one: One) => number): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const one of all) smallest = Math.min(smallest, of(one));
  return smallest;
}
