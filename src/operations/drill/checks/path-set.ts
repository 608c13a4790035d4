import { createHash } from 'node:crypto';

/** A set of paths in eight bytes each, so that ten million references fit. Two paths share a place once in 10^14 pairs. */
export interface PathSet {
  add(path: string): void;
  has(path: string): boolean;
  /** Different paths so far. */
  size(): number;
}

export function startPathSet(): PathSet {
  let places = new Float64Array(1024);
  let used = 0;
  let sorted = true;
  const settle = () => {
    if (sorted) return;
    const view = places.subarray(0, used).sort();
    let kept = 0;
    for (let at = 0; at < used; at++) {
      if (at === 0 || view[at] !== view[at - 1]) view[kept++] = view[at] ?? 0;
    }
    used = kept;
    sorted = true;
  };
  return {
    add(path) {
      if (used === places.length) {
        settle();
        if (used > places.length / 2) {
          const larger = new Float64Array(places.length * 2);
          larger.set(places);
          places = larger;
        }
      }
      places[used++] = placeOf(path);
      sorted = false;
    },
    has(path) {
      settle();
      const wanted = placeOf(path);
      let low = 0;
      let high = used;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((places[middle] ?? 0) < wanted) low = middle + 1;
        else high = middle;
      }
      return low < used && places[low] === wanted;
    },
    size() {
      settle();
      return used;
    },
  };
}

/** 48 bits of a hash: a whole number that a double holds exactly. */
function placeOf(path: string): number {
  return createHash('sha1').update(path, 'latin1').digest().readUIntBE(0, 6);
}
