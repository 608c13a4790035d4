import { randomBytes } from 'node:crypto';
import { speakingKey } from '../age/endorsing-key.ts';
import { newHeader } from '../age/header.ts';
import { parseIdentityFile, recipientOf } from '../age/identity.ts';
import { identityLine, recipientOfSecret, secretOf } from '../age/secret-bytes.ts';
import { NONCE_SIZE, openAll, sealAll } from '../age/stream.ts';
import { epochKeyForged } from '../errors.ts';
import { publicKeyOf } from '../format/signing.ts';
import { sha256Hex } from '../hash.ts';

/** A key pair that packs are sealed to. Its secret is nowhere but in `keyObject`. */
export interface NewEpoch {
  /** Its name. */
  readonly epoch: string;
  /** `age1…`: the writing host keeps it, and nobody publishes it. */
  readonly recipient: string;
  /** Ed25519 public key, base64, of those who open the epoch. */
  readonly speaker: string;
  readonly keyObject: Uint8Array;
}

/** The name of an epoch: whoever has its secret sees whether it is the right one. age itself says nothing about who sealed. */
export function epochOf(recipient: string): string {
  return sha256Hex(Buffer.from(recipient));
}

/** Makes an epoch for these recipients. The secret is wiped before this returns. */
export function newEpoch(recipients: readonly string[]): NewEpoch {
  const secret = randomBytes(32);
  try {
    const recipient = recipientOfSecret(secret);
    const speaker = publicKeyOf(speakingKey(secret));
    return { epoch: epochOf(recipient), recipient, speaker, keyObject: sealEpochKey(secret, recipients) };
  } finally {
    secret.fill(0);
  }
}

/** An epoch's secret as an identity file in age, without compression: `age -d` alone prints what opens the packs. */
export function sealEpochKey(secret: Uint8Array, recipients: readonly string[]): Uint8Array {
  const line = identityLine(secret);
  const { header, fileKey } = newHeader(recipients);
  const object = sealAll(header, fileKey, randomBytes(NONCE_SIZE), line);
  line.fill(0);
  return object;
}

/**
 * The identity that opens what is sealed to `epoch`, out of one of its key objects.
 * @throws `no-identity-fits`, `header-damaged`, `stream-damaged`, `epoch-key-forged`
 */
export async function openEpochKey(object: Uint8Array, epoch: string, identities: readonly string[]): Promise<string> {
  const plain = await openAll(object, identities);
  const identity = identityIn(Buffer.from(plain).toString('latin1'));
  plain.fill(0);
  if (identity === undefined || epochOf(recipientOf(identity)) !== epoch) throw epochKeyForged({ epoch });
  return identity;
}

function identityIn(text: string): string | undefined {
  try {
    return parseIdentityFile(text)[0];
  } catch {
    return undefined;
  }
}

/** What signs as one of those who open the epoch of `identity`: base64 of an Ed25519 seed. */
export function speakingKeyOf(identity: string): string {
  const secret = secretOf(identity);
  const key = speakingKey(secret);
  secret.fill(0);
  return key;
}
