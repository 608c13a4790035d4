import { tocDamaged } from './errors.ts';

/** What a pack holds: its zstd frames in order, and the chunks in them, one after the other. */
export interface Toc {
  readonly frames: readonly Frame[];
  readonly chunks: ChunkList;
}

export interface Frame {
  /** Bytes of the zstd frame in the pack's plaintext, at least 1. */
  readonly compressedLength: number;
  /** Bytes that it decompresses to: the sum of its chunks' lengths. */
  readonly rawLength: number;
  /** At least 1. */
  readonly chunkCount: number;
}

/** Chunks by number, in flat arrays: a pack has thousands. The raw offset of a chunk is the sum of the lengths before it. */
interface ChunkList {
  /** `CHUNK_ID_SIZE` bytes each. */
  readonly ids: Uint8Array;
  /** Raw bytes of each, at least 1. */
  readonly lengths: Uint32Array;
}

export const CHUNK_ID_SIZE = 20;
export const MAX_CHUNKS = 65_536;
/** The largest chunk of any profile. */
const MAX_CHUNK_SIZE = 4_194_304;
/** Bytes at the end of a table of contents by which a reader finds it: length, version, magic. */
export const FOOTER_SIZE = 16;

const SKIPPABLE_TOC = 0x184d2a5c;
const SKIPPABLE_PADDING = 0x184d2a5d;
const SKIPPABLE_HEADER_SIZE = 8;
const VERSION = 1;
const MAGIC = Buffer.from('LifeboaT', 'latin1');
const COUNTS_SIZE = 8;
const FRAME_SIZE = 12;
const CHUNK_ENTRY_SIZE = 4 + CHUNK_ID_SIZE;
const U32_MAX = 0xffff_ffff;

/** The largest table of contents there can be. */
export const MAX_TOC_SIZE =
  SKIPPABLE_HEADER_SIZE + COUNTS_SIZE + MAX_CHUNKS * (FRAME_SIZE + CHUNK_ENTRY_SIZE) + FOOTER_SIZE;

/** The skippable frame that ends a pack's plaintext. */
export function encodeToc(toc: Toc): Uint8Array {
  const size = SKIPPABLE_HEADER_SIZE + tocBodySize(toc) + FOOTER_SIZE;
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(SKIPPABLE_TOC, 0);
  bytes.writeUInt32LE(size - SKIPPABLE_HEADER_SIZE, 4);
  writeTocBody(toc, bytes, SKIPPABLE_HEADER_SIZE);
  bytes.writeUInt32LE(size, size - 16);
  bytes.writeUInt32LE(VERSION, size - 12);
  MAGIC.copy(bytes, size - MAGIC.length);
  return bytes;
}

/** `bytes`: the whole skippable frame, as `findToc` found it. Error: `toc-damaged`. */
export function decodeToc(bytes: Uint8Array): Toc {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (findToc(buffer).tocLength !== buffer.length) throw tocDamaged({ field: 'its length' });
  if (buffer.readUInt32LE(0) !== SKIPPABLE_TOC) throw tocDamaged({ field: 'its frame header' });
  if (buffer.readUInt32LE(4) !== buffer.length - SKIPPABLE_HEADER_SIZE) throw tocDamaged({ field: 'its frame length' });
  const end = buffer.length - FOOTER_SIZE;
  const { toc, next } = readTocBody(buffer.subarray(0, end), SKIPPABLE_HEADER_SIZE, tocDamaged);
  if (next !== end) throw tocDamaged({ field: 'its length' });
  return toc;
}

/**
 * Looks at the last bytes of a pack's plaintext (at least `FOOTER_SIZE` of them). `toc` is absent when `tail` is too short to
 * hold it all: then the last `tocLength` bytes are needed.
 */
export function findToc(tail: Uint8Array): { readonly tocLength: number; readonly toc?: Uint8Array } {
  const buffer = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = buffer.length;
  if (end < FOOTER_SIZE || !buffer.subarray(end - MAGIC.length).equals(MAGIC))
    throw tocDamaged({ field: 'its footer' });
  if (buffer.readUInt32LE(end - 12) !== VERSION) throw tocDamaged({ field: 'its version' });
  const tocLength = buffer.readUInt32LE(end - 16);
  if (tocLength < SKIPPABLE_HEADER_SIZE + COUNTS_SIZE + FOOTER_SIZE || tocLength > MAX_TOC_SIZE) {
    throw tocDamaged({ field: 'its length' });
  }
  return tocLength <= end ? { tocLength, toc: tail.subarray(end - tocLength) } : { tocLength };
}

/** Bytes of `writeTocBody`. */
export function tocBodySize(toc: Toc): number {
  return COUNTS_SIZE + toc.frames.length * FRAME_SIZE + toc.chunks.lengths.length * CHUNK_ENTRY_SIZE;
}

/** Counts, frames, chunk lengths, chunk ids; all numbers little-endian. Returns the offset behind. */
export function writeTocBody(toc: Toc, into: Buffer, at: number): number {
  const { ids, lengths } = toc.chunks;
  checkToc(toc, (fact) => new RangeError(`no table of contents: ${fact.field}`));
  let next = into.writeUInt32LE(toc.frames.length, at);
  next = into.writeUInt32LE(lengths.length, next);
  for (const frame of toc.frames) {
    next = into.writeUInt32LE(frame.compressedLength, next);
    next = into.writeUInt32LE(frame.rawLength, next);
    next = into.writeUInt32LE(frame.chunkCount, next);
  }
  for (const length of lengths) next = into.writeUInt32LE(length, next);
  into.set(ids, next);
  return next + ids.length;
}

/** Reads what `writeTocBody` wrote at `at`. Declared counts are held against the bytes there before anything is allocated. */
export function readTocBody(
  from: Buffer,
  at: number,
  damaged: (fact: { field: string }) => Error,
): { readonly toc: Toc; readonly next: number } {
  if (from.length - at < COUNTS_SIZE) throw damaged({ field: 'its counts' });
  const frameCount = from.readUInt32LE(at);
  const chunkCount = from.readUInt32LE(at + 4);
  const size = frameCount * FRAME_SIZE + chunkCount * CHUNK_ENTRY_SIZE;
  if (chunkCount > MAX_CHUNKS || size > from.length - at - COUNTS_SIZE) throw damaged({ field: 'its counts' });
  let next = at + COUNTS_SIZE;
  const frames: Frame[] = [];
  for (let index = 0; index < frameCount; index++, next += FRAME_SIZE) {
    frames.push({
      compressedLength: from.readUInt32LE(next),
      rawLength: from.readUInt32LE(next + 4),
      chunkCount: from.readUInt32LE(next + 8),
    });
  }
  const lengths = new Uint32Array(chunkCount);
  for (let index = 0; index < chunkCount; index++, next += 4) lengths[index] = from.readUInt32LE(next);
  const ids = new Uint8Array(from.subarray(next, next + chunkCount * CHUNK_ID_SIZE));
  const toc = { frames, chunks: { ids, lengths } };
  checkToc(toc, damaged);
  return { toc, next: next + ids.length };
}

function checkToc(toc: Toc, damaged: (fact: { field: string }) => Error): void {
  const { ids, lengths } = toc.chunks;
  if (lengths.length > MAX_CHUNKS || ids.length !== lengths.length * CHUNK_ID_SIZE)
    throw damaged({ field: 'its chunk ids' });
  let chunk = 0;
  for (const [number, { compressedLength, rawLength, chunkCount }] of toc.frames.entries()) {
    if (compressedLength < 1 || compressedLength > U32_MAX || chunkCount < 1)
      throw damaged({ field: `frame ${number}` });
    if (chunkCount > lengths.length - chunk) throw damaged({ field: `the chunk count of frame ${number}` });
    let raw = 0;
    for (const end = chunk + chunkCount; chunk < end; chunk++) {
      const length = lengths[chunk] ?? 0;
      if (length === 0 || length > MAX_CHUNK_SIZE) throw damaged({ field: `the length of chunk ${chunk}` });
      raw += length;
    }
    if (raw !== rawLength || raw > U32_MAX) throw damaged({ field: `the raw length of frame ${number}` });
  }
  if (chunk !== lengths.length) throw damaged({ field: 'its chunk count' });
}

/** A skippable frame of exactly `sizeBytes`, its header of 8 bytes counted. Stands between the last frame and the TOC. */
export function paddingFrame(sizeBytes: number): Uint8Array {
  if (sizeBytes < SKIPPABLE_HEADER_SIZE || sizeBytes > U32_MAX)
    throw new RangeError(`no padding frame: ${sizeBytes} bytes`);
  const bytes = Buffer.alloc(sizeBytes);
  bytes.writeUInt32LE(SKIPPABLE_PADDING, 0);
  bytes.writeUInt32LE(sizeBytes - SKIPPABLE_HEADER_SIZE, 4);
  return bytes;
}

/**
 * What keeps the bytes behind the last frame from being nothing, or one padding frame. Anything else could be content to `zstd -d`, and none
 * to who goes by the table of contents.
 */
export function gapProblem(gap: Uint8Array): string | undefined {
  if (gap.length === 0) return undefined;
  const bytes = Buffer.from(gap.buffer, gap.byteOffset, gap.byteLength);
  const isPadding =
    bytes.length >= SKIPPABLE_HEADER_SIZE &&
    bytes.readUInt32LE(0) === SKIPPABLE_PADDING &&
    bytes.readUInt32LE(4) === bytes.length - SKIPPABLE_HEADER_SIZE &&
    bytes.subarray(SKIPPABLE_HEADER_SIZE).every((byte) => byte === 0);
  return isPadding ? undefined : 'what stands behind its frames is no padding';
}

/** How large a padding frame brings `plainBytes` to a Padmé size: 0, or at least 8. */
export function paddingSize(plainBytes: number): number {
  const gap = padme(plainBytes) - plainBytes;
  if (gap === 0 || gap >= SKIPPABLE_HEADER_SIZE) return gap;
  return padme(plainBytes + SKIPPABLE_HEADER_SIZE) - plainBytes;
}

/**
 * The Padmé size: `size` rounded up so that a size tells at most O(log log size) bits, at most 12 % more and about 1 % for
 * large ones (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
 */
export function padme(size: number): number {
  if (size < 2) return size;
  const exponent = Math.floor(Math.log2(size));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent === 0 ? 1 : exponent)) - 1);
  return step <= 1 ? size : Math.ceil(size / step) * step;
}
