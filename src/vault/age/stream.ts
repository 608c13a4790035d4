import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { release } from '../release.ts';
import { streamDamaged } from './errors.ts';
import { openHeader } from './header.ts';
import { derivedKey } from './stanza.ts';

/** age's STREAM: chunks of 64 KiB, each sealed with ChaCha20-Poly1305 under its number and whether it is the last. */
export const CHUNK_SIZE = 65_536;
const TAG_SIZE = 16;
export const SEALED_CHUNK_SIZE = CHUNK_SIZE + TAG_SIZE;
/** Between header and chunks. */
export const NONCE_SIZE = 16;

/** As `payloadKey` gives it, or made into a key object once where many chunks follow: that saves a sixth of the time. */
type PayloadKey = Uint8Array | KeyObject;

const CIPHER = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_SIZE } as const;

/** The 32-byte key of one object's payload. `nonce` is 16 random bytes, stored behind the header. */
export function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  if (nonce.length !== NONCE_SIZE) throw streamDamaged({ why: 'it ends within the nonce' });
  return derivedKey(fileKey, nonce, 'payload');
}

/** Seals chunk number `index` (from 0) into `into` at `at`; returns the bytes written: `plain.length + TAG_SIZE`. */
export function sealChunk(
  key: PayloadKey,
  index: number,
  last: boolean,
  plain: Uint8Array,
  into: Uint8Array,
  at: number,
): number {
  if (plain.length > CHUNK_SIZE || (!last && plain.length !== CHUNK_SIZE) || (plain.length === 0 && index > 0)) {
    throw new RangeError(`no age chunk: number ${index}, ${plain.length} bytes, last: ${last}`);
  }
  const cipher = createCipheriv(CIPHER, key, chunkNonce(index, last), OPTIONS);
  const sealed = cipher.update(plain);
  into.set(sealed, at);
  release(sealed);
  cipher.final();
  into.set(cipher.getAuthTag(), at + plain.length);
  return plain.length + TAG_SIZE;
}

/** The plaintext of chunk number `index`, or `stream-damaged`. `last` must be what it was sealed with. */
export function openChunk(key: PayloadKey, index: number, last: boolean, sealed: Uint8Array): Uint8Array {
  const size = sealed.length - TAG_SIZE;
  if (size < 0 || size > CHUNK_SIZE || (!last && size !== CHUNK_SIZE)) {
    throw streamDamaged({ why: `chunk ${index} has a wrong length` });
  }
  if (size === 0 && index > 0) throw streamDamaged({ why: 'its last chunk is empty' });
  const decipher = createDecipheriv(CIPHER, key, chunkNonce(index, last), OPTIONS);
  decipher.setAuthTag(sealed.subarray(size));
  const plain = decipher.update(sealed.subarray(0, size));
  try {
    decipher.final();
  } catch (cause) {
    throw streamDamaged({ why: `chunk ${index} is not what was written` }, { cause });
  }
  return plain;
}

function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(Math.floor(index / 2 ** 32), 3);
  nonce.writeUInt32BE(index % 2 ** 32, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Bytes of all sealed chunks for `plainBytes`; header and nonce come on top. */
export function sealedSize(plainBytes: number): number {
  return plainBytes + TAG_SIZE * Math.max(1, Math.ceil(plainBytes / CHUNK_SIZE));
}

/** The reverse of `sealedSize`; a size that no payload has is `stream-damaged`. */
export function plainSize(sealedPayloadBytes: number): number {
  const rest = sealedPayloadBytes % SEALED_CHUNK_SIZE;
  const full = (sealedPayloadBytes - rest) / SEALED_CHUNK_SIZE;
  if (rest < TAG_SIZE ? rest !== 0 || full === 0 : rest === TAG_SIZE && full > 0) {
    throw streamDamaged({ why: 'its length is impossible: it was cut short' });
  }
  return full * CHUNK_SIZE + (rest === 0 ? 0 : rest - TAG_SIZE);
}

/** A whole age file in memory, for small objects. `fileKey` and `header` must come from one `newHeader`. */
export function sealAll(header: Uint8Array, fileKey: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
  const key = createSecretKey(payloadKey(fileKey, nonce));
  const file = new Uint8Array(header.length + NONCE_SIZE + sealedSize(plain.length));
  file.set(header, 0);
  file.set(nonce, header.length);
  let at = header.length + NONCE_SIZE;
  const chunks = Math.max(1, Math.ceil(plain.length / CHUNK_SIZE));
  for (let index = 0; index < chunks; index++) {
    const part = plain.subarray(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE);
    at += sealChunk(key, index, index === chunks - 1, part, file, at);
  }
  return file;
}

/** The plaintext of a whole age file in memory. Errors: those of `openHeader`, and `stream-damaged`. */
export async function openAll(file: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const { fileKey, headerSize } = await openHeader(file, identities);
  return openPayload(file.subarray(headerSize), fileKey);
}

/** The plaintext of nonce and sealed chunks. */
export function openPayload(payload: Uint8Array, fileKey: Uint8Array): Uint8Array {
  const key = payloadKey(fileKey, payload.subarray(0, NONCE_SIZE));
  const sealed = payload.subarray(NONCE_SIZE);
  return openChunks(key, 0, true, sealed, plainSize(sealed.length));
}

/** Opens consecutive sealed chunks that begin with number `first`; `toEnd`: the last of them is the payload's last. */
export function openChunks(
  key: Uint8Array,
  first: number,
  toEnd: boolean,
  sealed: Uint8Array,
  plainBytes: number,
): Uint8Array {
  const keyObject = createSecretKey(key);
  const plain = new Uint8Array(plainBytes);
  const chunks = Math.max(1, Math.ceil(sealed.length / SEALED_CHUNK_SIZE));
  for (let at = 0; at < chunks; at++) {
    const part = sealed.subarray(at * SEALED_CHUNK_SIZE, (at + 1) * SEALED_CHUNK_SIZE);
    const opened = openChunk(keyObject, first + at, toEnd && at === chunks - 1, part);
    plain.set(opened, at * CHUNK_SIZE);
    release(opened);
  }
  return plain;
}
