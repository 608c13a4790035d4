/** Reads what one of the two takes, and throws for what it refuses. */
type Reading<T extends unknown[]> = (...of: T) => unknown;

/** Why it refuses that; undefined where it does not. */
export function refusal<T extends unknown[]>(read: Reading<T>, ...of: T): string | undefined {
  try {
    read(...of);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export interface Compared {
  /** What one refuses and the other takes. */
  readonly split: readonly string[];
  /** How many both refuse. */
  readonly refused: number;
}

/** Shows both readings each of the changed things. */
export function compare<T extends unknown[]>(
  product: Reading<T>,
  checker: Reading<T>,
  changed: Iterable<{ readonly what: string; readonly of: T }>,
): Compared {
  const split: string[] = [];
  let refused = 0;
  for (const { what, of } of changed) {
    const [theirs, ours] = [refusal(product, ...of), refusal(checker, ...of)];
    if (theirs !== undefined && ours !== undefined) refused++;
    else if (theirs !== ours)
      split.push(`${what}: ${theirs ?? 'the product takes it'}; ${ours ?? 'the checker takes it'}`);
  }
  return { split, refused };
}
