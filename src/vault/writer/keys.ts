import { createHmac } from 'node:crypto';
import type { RandomBytes } from '../../core/clock.ts';
import { writeStateFile } from '../../host/state-file.ts';
import { writerKeysDamaged } from '../errors.ts';
import { newSigningKey, publicKeyOf, writerId } from '../format/signing.ts';
import { readWriterKeys, type StoredWriterKeys } from './key-file.ts';

/**
 * The secrets of a writing host. They sign its records, name its chunks and read its own index: never the data. Losing them
 * costs one full upload.
 */
export interface WriterKeys {
  readonly vault: string;
  /** Hex, from the public key. */
  readonly writer: string;
  readonly signingKey: string;
  readonly publicKey: string;
  /** 32 bytes; names chunks. */
  readonly chunkKey: Uint8Array;
  /** An age identity that opens this writer's index deltas, and its recipient. */
  readonly indexIdentity: string;
  readonly indexRecipient: string;
}

/** The keys in `file`, made when there are none. Keys of another vault are refused, unless they were never used. */
export async function writerKeys(file: string, vault: string, random: RandomBytes): Promise<WriterKeys> {
  const stored = await usedKeys(file, vault, random);
  if (stored.vault !== vault) throw writerKeysDamaged({ file, why: `they belong to vault ${stored.vault}` });
  const publicKey = publicKeyOf(stored.signingKey);
  return {
    vault,
    writer: writerId(publicKey),
    signingKey: stored.signingKey,
    publicKey,
    chunkKey: new Uint8Array(Buffer.from(stored.chunkKey, 'hex')),
    indexIdentity: stored.indexIdentity,
    indexRecipient: (await identities()).recipientOf(stored.indexIdentity),
  };
}

/**
 * 64 hex digits that tell this `text` from another without telling anything about it: with a bare hash, whoever can read it
 * could try guesses. Longer than what names chunks, so it is the name of none.
 */
export function fingerprintOf({ chunkKey }: Pick<WriterKeys, 'chunkKey'>, text: string): string {
  return createHmac('sha256', chunkKey).update('lifeboat-fingerprint\0').update(text).digest('hex');
}

/**
 * Keys for a vault that the first backup is to make, so that what is written down before it can name both already. Keys that are
 * there are left as they are.
 */
export async function planWriter(
  file: string,
  vault: string,
  random: RandomBytes,
): Promise<{ readonly vault: string; readonly publicKey: string }> {
  let stored = readWriterKeys(file);
  if (stored === undefined) {
    stored = { ...(await newKeys(vault, random)), unused: true };
    writeStateFile(file, stored);
  }
  return { vault: stored.vault, publicKey: publicKeyOf(stored.signingKey) };
}

async function usedKeys(file: string, vault: string, random: RandomBytes): Promise<StoredWriterKeys> {
  const stored = readWriterKeys(file);
  if (stored !== undefined && stored.unused === undefined) return stored;
  const { unused: _, ...keys } = stored ?? (await newKeys(vault, random));
  const used = { ...keys, vault };
  writeStateFile(file, used);
  return used;
}

async function newKeys(vault: string, random: RandomBytes): Promise<StoredWriterKeys> {
  return {
    format: 1,
    vault,
    signingKey: newSigningKey().privateKey,
    chunkKey: Buffer.from(random(32)).toString('hex'),
    indexIdentity: (await identities()).generateIdentity().identity,
  };
}

/** Loaded by whoever needs them: `status` asks for the public key alone. */
function identities() {
  return import('../age/identity.ts');
}
