/** Choices that are the same for the same seed. */
export interface Seeded {
  /** A whole number from 0 up to `most`, without it. */
  below(most: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** So many of them, in another order; all where there are not so many. */
  some<Item>(items: readonly Item[], count: number): Item[];
}

/** By mulberry32, which is public domain arithmetic of five lines: no two seeds that follow each other look alike. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const below = (most: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most);
  };
  return {
    below,
    pick: (items) => items[below(items.length)]!,
    some(items, count) {
      const left = [...items];
      return Array.from({ length: Math.min(count, items.length) }, () => left.splice(below(left.length), 1)[0]!);
    },
  };
}
