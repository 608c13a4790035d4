import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject, randomBytes } from 'node:crypto';
import {
  bytesOfUnpadded,
  derivedKey,
  type Identity,
  openFileKey,
  type Recipient,
  sealFileKey,
  unpadded,
} from './stanza.ts';

export const X25519_KEY_SIZE = 32;
const LABEL = 'age-encryption.org/v1/X25519';
/** What DER puts before the 32 bytes of an X25519 key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** The public key of 32 secret bytes. */
export function publicOf(secret: Uint8Array): Uint8Array {
  return createPublicKey(privateKeyOf(secret)).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length);
}

/** Throws for a point of small order, whose product says nothing. */
export function multiply(secret: Uint8Array, point: Uint8Array): Uint8Array {
  const publicKey = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, point]), format: 'der', type: 'spki' });
  return diffieHellman({ privateKey: privateKeyOf(secret), publicKey });
}

function privateKeyOf(secret: Uint8Array): KeyObject {
  const der = Buffer.concat([PRIVATE_PREFIX, secret]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

export function x25519Recipient(point: Uint8Array): Recipient {
  return {
    wrap(fileKey) {
      const secret = randomBytes(X25519_KEY_SIZE);
      const share = publicOf(secret);
      const wrapping = derivedKey(multiply(secret, point), Buffer.concat([share, point]), LABEL);
      return { args: ['X25519', unpadded(share)], body: sealFileKey(fileKey, wrapping) };
    },
  };
}

export function x25519Identity(secret: Uint8Array): Identity {
  const ours = publicOf(secret);
  return {
    unwrap(stanzas) {
      for (const { args, body } of stanzas) {
        if (args[0] !== 'X25519') continue;
        if (args.length !== 2) throw new Error('an X25519 stanza is malformed');
        const share = shareOf(args[1]);
        const wrapping = derivedKey(multiply(secret, share), Buffer.concat([share, ours]), LABEL);
        const fileKey = openFileKey(body, wrapping);
        if (fileKey !== null) return fileKey;
      }
      return null;
    },
  };
}

/** The sender's half of the exchange. Throws when it is malformed. */
export function shareOf(text = ''): Uint8Array {
  const share = bytesOfUnpadded(text);
  if (share?.length !== X25519_KEY_SIZE) throw new Error('a share is malformed');
  return share;
}
