import { MAX_CHUNKS, type Toc, type Frame as TocFrame } from '../format/toc.ts';
import type { PackHandle, Place } from './places.ts';

/** Packs of data and of metadata are apart: metadata is read by every restore and must never move to a cold class. */
export type PackKind = 'data' | 'meta';

const MiB = 1024 * 1024;
/** Compressed bytes past which a pack is closed. */
export type PackSizes = Readonly<Record<PackKind, number>>;
export const usualPackSizes: PackSizes = { data: 16 * MiB, meta: 4 * MiB };
/** Chunks of one frame at most, so that a pack closes before the format's bound. */
const MAX_FRAME_CHUNKS = 4096;

/** A pack that is filling up with compressed frames, in memory. */
export interface OpenPack {
  readonly handle: PackHandle;
  readonly kind: PackKind;
  readonly frames: ArrayBuffer[];
  readonly tocFrames: TocFrame[];
  readonly ids: Uint8Array[];
  readonly places: Place[];
  compressedBytes: number;
  rawBytes: number;
}

/** A frame on its way: the ids and places of its chunks, in order. */
export interface Frame {
  readonly kind: PackKind;
  readonly ids: Uint8Array[];
  readonly places: Place[];
  readonly rawBytes: number;
}

export function openPack(kind: PackKind): OpenPack {
  return {
    handle: { id: undefined },
    kind,
    frames: [],
    tocFrames: [],
    ids: [],
    places: [],
    compressedBytes: 0,
    rawBytes: 0,
  };
}

/** Appends a compressed frame; from now on its chunks have their places. */
export function appendFrame(pack: OpenPack, frame: Frame, compressed: ArrayBuffer): void {
  for (const place of frame.places) {
    place.pack = pack.handle;
    place.offset = pack.rawBytes;
    pack.rawBytes += place.length;
    pack.places.push(place);
  }
  pack.ids.push(...frame.ids);
  pack.frames.push(compressed);
  pack.tocFrames.push({
    compressedLength: compressed.byteLength,
    rawLength: frame.rawBytes,
    chunkCount: frame.places.length,
  });
  pack.compressedBytes += compressed.byteLength;
}

export function isFullPack(pack: OpenPack, sizes: PackSizes): boolean {
  return pack.compressedBytes >= sizes[pack.kind] || pack.places.length > MAX_CHUNKS - MAX_FRAME_CHUNKS;
}

export function tocOf(pack: OpenPack): Toc {
  return {
    frames: pack.tocFrames,
    chunks: {
      ids: new Uint8Array(Buffer.concat(pack.ids)),
      lengths: Uint32Array.from(pack.places, (place) => place.length),
    },
  };
}
