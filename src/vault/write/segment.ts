import type { ChunkProfile } from '../../core/entry.ts';
import { type Chunker, chunker } from '../chunking/chunker.ts';
import { chunkSizes } from '../chunking/profiles.ts';

/** How much raw data a segment gathers before the coordinator is asked which of its chunks are new. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
/** A segment may run over by what has no cut yet: the largest chunk of any profile, and room to read on. */
export const ARENA_BYTES = 5 * 1024 * 1024;
/** Raw bytes of a frame; a larger chunk has a frame of its own. */
export const FRAME_BYTES = 1024 * 1024;
const MAX_CHUNKS = 4096;

/** Raw bytes that were cut into chunks and wait for an answer. */
export interface Segment {
  readonly arena: Buffer;
  /** Start of each chunk in the arena. */
  readonly starts: number[];
  readonly lengths: number[];
  readonly ids: Buffer[];
}

export function emptySegment(arena: Buffer): Segment {
  return { arena, starts: [], lengths: [], ids: [] };
}

export function isFull(segment: Segment, usedBytes: number): boolean {
  return usedBytes >= SEGMENT_BYTES || segment.ids.length >= MAX_CHUNKS;
}

/** Adds the chunk `[start, end)` of the segment's arena. */
export function addChunk(segment: Segment, id: Buffer, start: number, end: number): void {
  segment.starts.push(start);
  segment.lengths.push(end - start);
  segment.ids.push(id);
}

/** Chunks `[from, to)` of a segment, of which `count` are wanted: `sizeBytes` together. */
interface FrameSpan {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly sizeBytes: number;
}

/** Cuts the wanted chunks, in order, into frames of about 1 MiB. */
export function* framesOf(segment: Segment, wanted: Uint8Array): Generator<FrameSpan> {
  for (let from = wanted.indexOf(1); from >= 0; ) {
    let to = from;
    let sizeBytes = 0;
    let count = 0;
    for (; to < wanted.length; to++) {
      if (wanted[to] === 0) continue;
      const length = segment.lengths[to]!;
      if (count > 0 && sizeBytes + length > FRAME_BYTES) break;
      sizeBytes += length;
      count++;
    }
    yield { from, to, count, sizeBytes };
    from = to < wanted.length ? wanted.indexOf(1, to) : -1;
  }
}

/** The frame's bytes where they lie, when no chunk that is not wanted lies between them: chunks follow each other. */
export function frameInPlace(
  { arena, starts }: Segment,
  { from, count, sizeBytes }: FrameSpan,
  wanted: Uint8Array,
): Buffer | undefined {
  const gap = wanted.indexOf(0, from);
  if (gap >= 0 && gap < from + count) return undefined;
  const start = starts[from]!;
  return arena.subarray(start, start + sizeBytes);
}

/** Copies the frame's bytes to the beginning of `into`. */
export function copyFrame(segment: Segment, { from, to }: FrameSpan, wanted: Uint8Array, into: Uint8Array): void {
  let at = 0;
  for (let index = from; index < to; index++) {
    if (wanted[index] === 0) continue;
    const start = segment.starts[index]!;
    at += segment.arena.copy(into, at, start, start + segment.lengths[index]!);
  }
}

/** One chunker per profile, made when first needed. */
export function chunkers(chunkKey: Uint8Array): (profile: ChunkProfile) => Chunker {
  const made = new Map<ChunkProfile, Chunker>();
  return (profile) => {
    let found = made.get(profile);
    if (found === undefined) {
      found = chunker(chunkSizes[profile], chunkKey);
      made.set(profile, found);
    }
    return found;
  };
}
