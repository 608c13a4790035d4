import type { KeyObject } from 'node:crypto';
import type { ChunkProfile } from '../../core/entry.ts';
import { chunkId, digest } from '../chunking/chunk-id.ts';
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

/** Adds the chunk `[start, end)` of the segment's arena; returns its SHA-256. */
export function addChunk(segment: Segment, chunkKey: KeyObject, start: number, end: number): Buffer {
  const chunkDigest = digest(segment.arena.subarray(start, end));
  segment.starts.push(start);
  segment.lengths.push(end - start);
  segment.ids.push(chunkId(chunkKey, chunkDigest));
  return chunkDigest;
}

/** A frame's raw bytes: the first `sizeBytes` of the buffer, which may be longer because it is used again. */
interface RawFrame {
  readonly raw: ArrayBuffer;
  readonly sizeBytes: number;
  readonly count: number;
}

/** Copies the wanted chunks, in order, into frames of about 1 MiB. */
export function* framesOf(
  segment: Segment,
  wanted: Uint8Array,
  takeBuffer: (sizeBytes: number) => ArrayBuffer,
): Generator<RawFrame> {
  let from = 0;
  while (from < wanted.length) {
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
    if (count > 0) {
      const raw = takeBuffer(sizeBytes);
      const frame = Buffer.from(raw);
      let at = 0;
      for (let index = from; index < to; index++) {
        if (wanted[index] === 0) continue;
        const start = segment.starts[index]!;
        at += segment.arena.copy(frame, at, start, start + segment.lengths[index]!);
      }
      yield { raw, sizeBytes, count };
    }
    from = to;
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
