import { hkdfSync } from 'node:crypto';
import type { ChunkSizes } from './profiles.ts';

/** How many bytes a 32-bit gear hash remembers: each step shifts by one bit. */
const WINDOW = 32;
/** Bytes that the scan looks at in one stretch. */
const LANE_BYTES = 4096;

/**
 * Cuts bytes into chunks by content (FastCDC with normalised chunk sizes over a gear hash), so that an insertion changes the
 * chunks around it and no others. The table is keyed: cut points of two vaults differ. The sizes stay hidden all the same,
 * because a pack is one encrypted stream.
 */
export interface Chunker {
  /**
   * The end of the chunk that starts at `start`, looking no further than `end`. When `end` is not the end of the content, the
   * caller asks again with more bytes if less than `maxBytes` were given.
   */
  cut(bytes: Uint8Array, start: number, end: number): number;
  readonly sizes: ChunkSizes;
}

export function chunker(sizes: ChunkSizes, chunkKey: Uint8Array): Chunker {
  if (sizes.fixed) {
    return { sizes, cut: (_bytes, start, end) => Math.min(start + sizes.maxBytes, end) };
  }
  const gear = gearTable(chunkKey);
  const { minBytes, averageBytes, maxBytes } = sizes;
  const bits = Math.round(Math.log2(averageBytes));
  // Two more bits before the average and two fewer after it: sizes gather around the average (FastCDC's level 2).
  const hardMask = topBits(bits + 2);
  const easyMask = topBits(bits - 2);

  /** The end of the first chunk that may end in `(from, until]`, or 0. The hash depends on the last 32 bytes alone. */
  function scan(bytes: Uint8Array, from: number, until: number, mask: number): number {
    let at = from;
    // Two stretches side by side: each step waits for the one before it, so a second lane is almost free (measured).
    for (; until - at >= 2 * LANE_BYTES; at += 2 * LANE_BYTES) {
      const middle = at + LANE_BYTES;
      let first = hashBefore(bytes, at);
      let second = hashBefore(bytes, middle);
      let inSecond = 0;
      for (let one = at, two = middle; one < middle; one += 2, two += 2) {
        first = ((first << 1) + gear[bytes[one]!]!) | 0;
        second = ((second << 1) + gear[bytes[two]!]!) | 0;
        if ((first & mask) === 0) return one + 1;
        if ((second & mask) === 0) inSecond ||= two + 1;
        first = ((first << 1) + gear[bytes[one + 1]!]!) | 0;
        second = ((second << 1) + gear[bytes[two + 1]!]!) | 0;
        if ((first & mask) === 0) return one + 2;
        if ((second & mask) === 0) inSecond ||= two + 2;
      }
      if (inSecond !== 0) return inSecond;
    }
    for (let hash = hashBefore(bytes, at); at < until; at++) {
      hash = ((hash << 1) + gear[bytes[at]!]!) | 0;
      if ((hash & mask) === 0) return at + 1;
    }
    return 0;
  }

  function hashBefore(bytes: Uint8Array, at: number): number {
    let hash = 0;
    for (let before = at - WINDOW; before < at; before++) hash = ((hash << 1) + gear[bytes[before]!]!) | 0;
    return hash;
  }

  function cut(bytes: Uint8Array, start: number, end: number): number {
    if (end - start <= minBytes) return end;
    const last = Math.min(start + maxBytes, end);
    const middle = Math.min(start + averageBytes, last);
    return scan(bytes, start + minBytes, middle, hardMask) || scan(bytes, middle, last, easyMask) || last;
  }
  return { sizes, cut };
}

function topBits(count: number): number {
  return (-1 << (32 - count)) | 0;
}

function gearTable(chunkKey: Uint8Array): Int32Array {
  const bytes = hkdfSync('sha256', chunkKey, new Uint8Array(0), 'lifeboat gear table 1', 1024);
  return new Int32Array(bytes);
}
