import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

export const CHUNK_ID_BYTES = 20;

/** SHA-256 of `bytes`, 32 bytes. */
export function digest(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/**
 * A chunk's id: the first 20 bytes of HMAC-SHA-256(chunkKey, SHA-256(chunk)). Keyed, so that nobody without the key can ask
 * whether a known chunk is in the vault; over the digest, so that a file of one chunk is hashed once.
 */
export function chunkId(chunkKey: Uint8Array | KeyObject, chunkDigest: Uint8Array): Buffer {
  return createHmac('sha256', chunkKey).update(chunkDigest).digest().subarray(0, CHUNK_ID_BYTES);
}

/** The key in the form that is set up once: with raw bytes each id takes six times as long (measured). */
export function chunkKeyObject(chunkKey: Uint8Array): KeyObject {
  return createSecretKey(chunkKey);
}
