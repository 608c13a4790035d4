import { isSshIdentity, keyOfIdentity } from './identity.ts';
import { secretOf } from './secret-bytes.ts';
import { derivedKey } from './stanza.ts';

/**
 * The Ed25519 key (base64 of its seed) with which the holder of an identity vouches for writers: HKDF-SHA-256 of the identity's
 * secret. Of X25519 that is its 32 bytes, of an SSH key its PKCS#8 in DER. The public half says nothing about the identity.
 * @throws `identity-invalid`
 */
export function endorsingKey(identity: string): string {
  return derived(secretIn(identity), 'lifeboat endorsement 1');
}

/** The same of an epoch's secret: who signs with it opens that epoch. */
export function speakingKey(secret: Uint8Array): string {
  return derived(secret, 'lifeboat epoch 1');
}

/** @param purpose what the derived key is for, so that no other use of a secret can give the same */
function derived(secret: Uint8Array, purpose: string): string {
  return Buffer.from(derivedKey(secret, new Uint8Array(0), purpose)).toString('base64');
}

function secretIn(identity: string): Uint8Array {
  return isSshIdentity(identity)
    ? keyOfIdentity(identity).export({ format: 'der', type: 'pkcs8' })
    : secretOf(identity);
}
