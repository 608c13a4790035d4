import { hkdfSync } from 'node:crypto';
import { isSshIdentity, keyOfIdentity } from './identity.ts';
import { secretOf } from './secret-bytes.ts';

/** Says what the derived key is for, so that no other use of an identity can give the same. */
const PURPOSE = 'lifeboat endorsement 1';

/**
 * The Ed25519 key (base64 of its seed) with which the holder of an identity vouches for writers: HKDF-SHA-256 of the identity's
 * secret. Of X25519 that is its 32 bytes, of an SSH key its PKCS#8 in DER. The public half says nothing about the identity.
 * @throws `identity-invalid`
 */
export function endorsingKey(identity: string): string {
  const secret = isSshIdentity(identity)
    ? keyOfIdentity(identity).export({ format: 'der', type: 'pkcs8' })
    : secretOf(identity);
  return Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), PURPOSE, 32)).toString('base64');
}
