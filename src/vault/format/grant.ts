import { z } from 'zod';
import { grantDamaged } from './errors.ts';
import { grantKey } from './keys.ts';
import {
  algorithm,
  count,
  jsonBytes,
  publicKey,
  readJson,
  sha256,
  signature,
  signedBytes,
  time,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign, verify } from './signing.ts';

/**
 * Says whose keys open an epoch, and by which of its key objects: a host without a key could not tell. The writer that begins
 * an epoch signs the first; each later one somebody who opens an epoch of that writer. docs/vault-format.md specifies it.
 */
export interface Grant {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  readonly vault: string;
  /** ULID; the key's last part. */
  readonly id: string;
  readonly time: string;
  readonly epoch: string;
  /** `[id, size in bytes]` of the object that holds the epoch's key for these recipients. */
  readonly key: readonly [string, number];
  /** Prints of those whom it lets in, sorted. At least one. */
  readonly recipients: readonly string[];
  /** In the one that begins the epoch: the public key of those who open it, and which of its writer's epochs it is, from 1. */
  readonly begins?: { readonly speaker: string; readonly number: number };
  /** Ed25519 public key, base64: the writer's, or the `speaker` of an epoch. */
  readonly writer: string;
  readonly signature: string;
}

const mostRecipients = 100;
/** A larger object is no epoch's key: whoever can write to the store decides how long one is. */
export const maxEpochKeyBytes = 64 * 1024;

/** A longer one is read by nobody: whoever can write to the store decides how long an object is. */
export const maxGrantBytes = 16 * 1024;

const print = z.string().regex(/^[0-9a-f]{32}$/);
const shape = z.looseObject({
  algorithm,
  format: z.literal(1),
  vault: ulid,
  id: ulid,
  time,
  epoch: sha256,
  key: z.tuple([sha256, count.min(1).max(maxEpochKeyBytes)]),
  recipients: z
    .array(print)
    .min(1)
    .max(mostRecipients)
    .refine((prints) => prints.every((one, at) => at === 0 || prints[at - 1]! < one)),
  begins: z.looseObject({ speaker: publicKey, number: count.min(1) }).exactOptional(),
  writer: publicKey,
  signature,
});

/** The same bytes as were read: JSON of a grant is canonical. */
export function grantBytes(grant: Grant): Uint8Array {
  return jsonBytes(grant);
}

export type UnsignedGrant = Omit<Grant, 'algorithm' | 'format' | 'writer' | 'signature'>;

/** As stored. Recipients are sorted here. */
export function encodeGrant(unsigned: UnsignedGrant, privateKey: string): Uint8Array {
  const recipients = [...new Set(unsigned.recipients)].sort();
  const whole = { ...unsigned, recipients, algorithm: 'ed25519', format: 1, writer: publicKeyOf(privateKey) } as const;
  return jsonBytes({ ...whole, signature: sign(signedBytes('grant', whole), privateKey) });
}

/** Reads one whose signature fits. Whether its signer may say so is for the caller to judge. @throws `grant-damaged` */
export function decodeGrant(bytes: Uint8Array, key: string): Grant {
  const damaged = (why: string) => grantDamaged({ key, why });
  if (bytes.length > maxGrantBytes) throw damaged('it is larger than 16 KiB');
  const read = readJson(bytes, shape, ({ field }) => damaged(`${field} cannot be read`)) as Grant;
  if (key !== grantKey(read.epoch, read.id)) throw damaged('it lies under the name of another');
  if (!verify(signedBytes('grant', read), read.signature, read.writer)) {
    throw damaged('its signature does not fit: it was changed after it was written, or forged');
  }
  return read;
}
