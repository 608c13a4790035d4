import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { newHeader } from '../age/header.ts';
import { CHUNK_SIZE, NONCE_SIZE, openChunk, payloadKey, sealChunk, sealedSize } from '../age/stream.ts';
import { memoryUnsound } from '../errors.ts';
import { encodeToc, paddingFrame, paddingSize, type Toc } from '../format/toc.ts';
import { sha256Hex } from '../hash.ts';
import { release } from '../release.ts';

/** Memory for an object comes in multiples of this, so that what one pack leaves is large enough for most others. */
const ROOM_BYTES = 2 * 1024 * 1024;

/**
 * Puts frames, padding and table of contents into one age object. Every chunk is opened again before it counts as sealed.
 * Uses the frames up, and `room`: the object lies in it, from its beginning, when it is large enough.
 */
export function sealPack(
  frames: readonly Uint8Array[],
  toc: Toc,
  pad: boolean,
  recipients: readonly string[],
  room?: ArrayBuffer,
): { id: string; object: Uint8Array<ArrayBuffer> } {
  if (
    frames.length !== toc.frames.length ||
    frames.some((frame, at) => frame.length !== toc.frames[at]!.compressedLength)
  ) {
    throw memoryUnsound({ stage: 'gathered into a pack' });
  }
  const contents = encodeToc(toc);
  const framesBytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  const parts = [...frames];
  const gap = pad ? paddingSize(framesBytes + contents.length) : 0;
  if (gap > 0) parts.push(paddingFrame(gap));
  parts.push(contents);

  const plainBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const { header, fileKey } = newHeader(recipients);
  const nonce = randomBytes(NONCE_SIZE);
  const object = placeFor(header.length + NONCE_SIZE + sealedSize(plainBytes), room);
  object.set(header, 0);
  object.set(nonce, header.length);
  sealParts(parts, plainBytes, createSecretKey(payloadKey(fileKey, nonce)), object, header.length + NONCE_SIZE);
  return { id: sha256Hex(object), object };
}

function placeFor(sizeBytes: number, room: ArrayBuffer | undefined): Uint8Array<ArrayBuffer> {
  if (room !== undefined && room.byteLength >= sizeBytes) return new Uint8Array(room, 0, sizeBytes);
  if (room !== undefined) release(new Uint8Array(room));
  if (sizeBytes < ROOM_BYTES) return new Uint8Array(sizeBytes);
  return new Uint8Array(new ArrayBuffer(Math.ceil(sizeBytes / ROOM_BYTES) * ROOM_BYTES), 0, sizeBytes);
}

function sealParts(
  parts: readonly Uint8Array[],
  plainBytes: number,
  key: KeyObject,
  into: Uint8Array,
  at: number,
): void {
  const scratch = Buffer.allocUnsafe(CHUNK_SIZE);
  let part = 0;
  let taken = 0;
  let sealed = 0;
  for (let index = 0, done = 0; index === 0 || done < plainBytes; index++) {
    let filled = 0;
    while (filled < CHUNK_SIZE && part < parts.length) {
      const source = parts[part]!;
      const count = Math.min(CHUNK_SIZE - filled, source.length - taken);
      scratch.set(source.subarray(taken, taken + count), filled);
      filled += count;
      taken += count;
      if (taken === source.length) {
        release(source);
        part++;
        taken = 0;
      }
    }
    done += filled;
    const plain = scratch.subarray(0, filled);
    const last = done === plainBytes;
    const written = sealChunk(key, index, last, plain, into, at + sealed);
    const reopened = openChunk(key, index, last, into.subarray(at + sealed, at + sealed + written));
    if (Buffer.compare(reopened, plain) !== 0) throw memoryUnsound({ stage: 'encrypted' });
    release(reopened);
    sealed += written;
  }
}
