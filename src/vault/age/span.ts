import { streamDamaged } from './errors.ts';
import { CHUNK_SIZE, NONCE_SIZE, openChunks, plainSize, SEALED_CHUNK_SIZE } from './stream.ts';

/** Which bytes of an age file hold a range of its plaintext. */
export interface ChunkSpan {
  /** The byte range of the file to fetch. */
  readonly fileOffset: number;
  readonly fileLength: number;
  /** Number of the first chunk in it. */
  readonly firstChunk: number;
  /** The last chunk in it is the payload's last. Only then was the length of the whole authenticated. */
  readonly toEnd: boolean;
  /** Plaintext bytes that all fetched chunks hold, and where in them the wanted range is. */
  readonly plainLength: number;
  readonly skip: number;
  readonly length: number;
}

/**
 * Plans a ranged read of `length` plaintext bytes at `offset`. `headerSize` is where the nonce begins, `fileSize` the size
 * of the whole object. A range outside the plaintext, or a size that no age file has, is `stream-damaged`. A reader that does
 * not know the object's hash reads the end first: only the final chunk proves that nothing is missing.
 */
export function chunkSpan(file: {
  readonly headerSize: number;
  readonly fileSize: number;
  readonly offset: number;
  readonly length: number;
}): ChunkSpan {
  const start = file.headerSize + NONCE_SIZE;
  const sealed = file.fileSize - start;
  if (sealed < 0) throw streamDamaged({ why: 'it ends before its payload' });
  const plain = plainSize(sealed);
  const { offset, length } = file;
  if (
    !(
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= plain
    )
  ) {
    throw streamDamaged({ why: `bytes ${offset}+${length} were asked of ${plain}` });
  }
  const lastChunk = Math.max(0, Math.ceil(plain / CHUNK_SIZE) - 1);
  const firstChunk = Math.min(Math.floor(offset / CHUNK_SIZE), lastChunk);
  const endChunk = Math.max(firstChunk, Math.ceil((offset + length) / CHUNK_SIZE) - 1);
  const from = firstChunk * SEALED_CHUNK_SIZE;
  const to = Math.min((endChunk + 1) * SEALED_CHUNK_SIZE, sealed);
  return {
    fileOffset: start + from,
    fileLength: to - from,
    firstChunk,
    toEnd: endChunk === lastChunk,
    plainLength: Math.min((endChunk + 1) * CHUNK_SIZE, plain) - firstChunk * CHUNK_SIZE,
    skip: offset - firstChunk * CHUNK_SIZE,
    length,
  };
}

/** The wanted plaintext, from the bytes that `span` asked for. */
export function openSpan(key: Uint8Array, span: ChunkSpan, fetched: Uint8Array): Uint8Array {
  if (fetched.length !== span.fileLength) throw streamDamaged({ why: 'fewer bytes came than were asked for' });
  const plain = openChunks(key, span.firstChunk, span.toEnd, fetched, span.plainLength);
  return plain.subarray(span.skip, span.skip + span.length);
}
