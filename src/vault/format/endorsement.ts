import { z } from 'zod';
import { endorsementDamaged } from './errors.ts';
import { endorsementKey } from './keys.ts';
import {
  algorithm,
  count,
  jsonBytes,
  name,
  publicKey,
  readJson,
  signature,
  signedBytes,
  time,
  ulid,
} from './signed-json.ts';
import { publicKeyOf, sign, verify, writerId } from './signing.ts';

/** A writer, and the systems whose records it may sign. */
export interface EndorsedWriter {
  /** Ed25519, base64. */
  readonly key: string;
  /** At least one, sorted. */
  readonly systems: readonly string[];
}

/**
 * What the holder of an identity says of a vault: these are its writers. Signed with a key that only the identity gives
 * (`endorsingKey`): an age file authenticates nobody, so without this whoever knows a recipient could make a whole vault.
 * docs/vault-format.md specifies it.
 */
export interface Endorsement {
  /** Of the signature. */
  readonly algorithm: 'ed25519';
  readonly format: 1;
  readonly vault: string;
  /** ULID; the key's last part. */
  readonly id: string;
  /** One more than that of the one before: the highest counts, so an older one brings back nobody who was left out since. */
  readonly sequence: number;
  readonly time: string;
  /** All of them, sorted by key. */
  readonly writers: readonly EndorsedWriter[];
  /** Ed25519 public key, base64: tells nothing about the identity that it comes from. */
  readonly endorser: string;
  readonly signature: string;
}

export const maxEndorsedWriters = 100;
const maxSystems = 100;
/** A longer one is read by nobody: whoever can write to the store decides how long an object is. */
export const maxEndorsementBytes = 1024 * 1024;

const shape = z.looseObject({
  algorithm,
  format: z.literal(1),
  vault: ulid,
  id: ulid,
  sequence: count.min(1),
  time,
  writers: z
    .array(z.looseObject({ key: publicKey, systems: z.array(name).min(1).max(maxSystems) }))
    .max(maxEndorsedWriters),
  endorser: publicKey,
  signature,
});

/** @param privateKey what `endorsingKey` gives. Writers and systems are sorted here. */
export function signEndorsement(
  unsigned: Omit<Endorsement, 'algorithm' | 'format' | 'endorser' | 'signature'>,
  privateKey: string,
): Endorsement {
  const writers = unsigned.writers.map(({ key, systems }) => ({ key, systems: [...new Set(systems)].sort() }));
  writers.sort((a, b) => (a.key < b.key ? -1 : 1));
  const whole = {
    ...unsigned,
    writers,
    algorithm: 'ed25519',
    format: 1,
    endorser: publicKeyOf(privateKey),
  } as const;
  return { ...whole, signature: sign(signedBytes('endorsement', whole), privateKey) };
}

export function endorsementBytes(endorsement: Endorsement): Uint8Array {
  return jsonBytes(endorsement);
}

/** Reads one whose signature fits its own endorser. Whether that is one of ours is for the caller to say. @throws `endorsement-damaged` */
export function decodeEndorsement(bytes: Uint8Array, key: string): Endorsement {
  const damaged = (why: string) => endorsementDamaged({ key, why });
  if (bytes.length > maxEndorsementBytes) throw damaged('it is larger than 1 MiB');
  const read = readJson(bytes, shape, ({ field }) => damaged(`${field} cannot be read`)) as z.infer<typeof shape>;
  if (key !== endorsementKey(writerId(read.endorser), read.id)) throw damaged('it lies under the name of another');
  if (!inOrder(read.writers.map((one) => one.key)) || !read.writers.every(({ systems }) => inOrder(systems))) {
    throw damaged('its writers are not in order');
  }
  if (!verify(signedBytes('endorsement', read), read.signature, read.endorser)) {
    throw damaged('its signature does not fit: it was changed after it was written, or forged');
  }
  return read;
}

/** Sorted, each once: one byte string for one value. */
function inOrder(texts: readonly string[]): boolean {
  return texts.every((text, at) => at === 0 || texts[at - 1]! < text);
}
