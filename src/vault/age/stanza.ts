import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** How one reader gets at the file key: https://github.com/C2SP/C2SP/blob/main/age.md. */
export interface Stanza {
  /** The first is the kind. */
  readonly args: readonly string[];
  readonly body: Uint8Array;
}

/** Whom a header is for. */
export interface Recipient {
  wrap(fileKey: Uint8Array): Stanza;
}

/** Who opens a header. */
export interface Identity {
  /** Null where no stanza is for it. A stanza that is malformed makes it throw. */
  unwrap(stanzas: readonly Stanza[]): Uint8Array | null | Promise<Uint8Array | null>;
}

export const FILE_KEY_SIZE = 16;
const TAG_SIZE = 16;
const KEY_SIZE = 32;

/** The body of a stanza: the file key under a key that wraps nothing else. */
export function sealFileKey(fileKey: Uint8Array, wrapping: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', wrapping, Buffer.alloc(12), { authTagLength: TAG_SIZE });
  return Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
}

/** Null when it is for another key. Throws for a body of another size: whoever opens that would try more than one key at once. */
export function openFileKey(body: Uint8Array, wrapping: Uint8Array): Uint8Array | null {
  if (body.length !== FILE_KEY_SIZE + TAG_SIZE) throw new Error('a wrapped file key is malformed');
  const decipher = createDecipheriv('chacha20-poly1305', wrapping, Buffer.alloc(12), { authTagLength: TAG_SIZE });
  decipher.setAuthTag(body.subarray(FILE_KEY_SIZE));
  const fileKey = Uint8Array.from(decipher.update(body.subarray(0, FILE_KEY_SIZE)));
  try {
    decipher.final();
    return fileKey;
  } catch {
    return null;
  }
}

/** A key of 32 bytes by HKDF with SHA-256. */
export function derivedKey(secret: Uint8Array, salt: Uint8Array, label: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, label, KEY_SIZE));
}

/** Base64 as age writes it: without padding. */
export function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64').replace(/=+$/, '');
}

/** The reverse; undefined for what age would have written otherwise. */
export function bytesOfUnpadded(text: string): Uint8Array | undefined {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return unpadded(bytes) === text ? bytes : undefined;
}
