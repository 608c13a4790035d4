import { createPrivateKey, createPublicKey } from 'node:crypto';
import { bech32, bytesOfBech32 } from './bech32.ts';
import { identityInvalid } from './errors.ts';

const PREFIX = 'age-secret-key-';
const SECRET_SIZE = 32;
/** What DER puts before the 32 bytes of an X25519 private key, and before those of a public one. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX_SIZE = 12;

/** The 32 bytes of an `AGE-SECRET-KEY-1…` identity. @throws `identity-invalid` */
export function secretOf(identity: string): Uint8Array {
  const bytes = bytesOfBech32(PREFIX, identity.toLowerCase());
  if (bytes?.length !== SECRET_SIZE)
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
  const der = Buffer.concat([PRIVATE_PREFIX, secret]);
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  der.fill(0);
  return bech32('age', key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX_SIZE)).toString('latin1');
}
