import { bech32, bytesOfBech32 } from './bech32.ts';
import { identityInvalid } from './errors.ts';
import { publicOf, X25519_KEY_SIZE } from './x25519.ts';

const PREFIX = 'age-secret-key-';
const RECIPIENT_PREFIX = 'age';

/** The 32 bytes of an `AGE-SECRET-KEY-1…` identity. @throws `identity-invalid` */
export function secretOf(identity: string): Uint8Array {
  const bytes = bytesOfBech32(PREFIX, identity.toLowerCase());
  // Bech32 has one case in a text, and age writes identities in capitals.
  if (bytes?.length !== X25519_KEY_SIZE || identity !== identity.toUpperCase())
    throw identityInvalid({ why: 'only AGE-SECRET-KEY-1… identities have secret bytes' });
  return bytes;
}

/** The reverse of `secretOf`. */
export function identityOf(secret: Uint8Array): string {
  return identityLine(secret).toString('latin1').trimEnd();
}

/** The same as a line of an identity file, in memory that can be wiped: a string cannot. */
export function identityLine(secret: Uint8Array): Buffer {
  const text = bech32(PREFIX, secret);
  const line = Buffer.alloc(text.length + 1, '\n');
  for (const [at, code] of text.entries()) line[at] = code >= 0x61 ? code - 0x20 : code;
  text.fill(0);
  return line;
}

/** The `age1…` recipient of a secret of 32 bytes. */
export function recipientOfSecret(secret: Uint8Array): string {
  return bech32(RECIPIENT_PREFIX, publicOf(secret)).toString('latin1');
}

/** The public key in an `age1…` recipient; undefined when it is none. */
export function pointOf(recipient: string): Uint8Array | undefined {
  const bytes = bytesOfBech32(RECIPIENT_PREFIX, recipient);
  return bytes?.length === X25519_KEY_SIZE ? bytes : undefined;
}
