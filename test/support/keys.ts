import type { Keys } from '../../src/vault/trust.ts';

/** These keys, each for these systems: the one that tests have, unless said otherwise. */
export function knowing(keys: Iterable<string>, systems: readonly string[] = ['harbor']): Keys {
  return new Map([...keys].map((key) => [key, new Set(systems)]));
}
