import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { RandomBytes } from '../core/clock.ts';
import { sentenceOf } from '../core/errors.ts';
import { generateIdentity, recipientOf } from './age/identity.ts';
import { writerKeysDamaged } from './errors.ts';
import { newSigningKey, publicKeyOf, writerId } from './format/signing.ts';

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

const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  signingKey: z.string(),
  chunkKey: z.string().regex(/^[0-9a-f]{64}$/),
  indexIdentity: z.string().startsWith('AGE-SECRET-KEY-1'),
});

/** The keys in `file`, made when there are none. Keys of another vault are refused. */
export async function writerKeys(file: string, vault: string, random: RandomBytes): Promise<WriterKeys> {
  const stored = readStored(file) ?? (await makeKeys(file, vault, random));
  if (stored.vault !== vault) throw writerKeysDamaged({ file, why: `they belong to vault ${stored.vault}` });
  const publicKey = publicKeyOf(stored.signingKey);
  return {
    vault,
    writer: writerId(publicKey),
    signingKey: stored.signingKey,
    publicKey,
    chunkKey: new Uint8Array(Buffer.from(stored.chunkKey, 'hex')),
    indexIdentity: stored.indexIdentity,
    indexRecipient: await recipientOf(stored.indexIdentity),
  };
}

/** The vault that the keys in `file` belong to; undefined when there are none. */
export function vaultOfKeys(file: string): string | undefined {
  return readStored(file)?.vault;
}

function readStored(file: string): z.infer<typeof shape> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw writerKeysDamaged({ file, why: sentenceOf(error) });
  }
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    // The cause is left out: it may quote a secret.
    throw writerKeysDamaged({ file, why: 'it is not what Lifeboat writes' });
  }
}

async function makeKeys(file: string, vault: string, random: RandomBytes): Promise<z.infer<typeof shape>> {
  const keys = {
    format: 1 as const,
    vault,
    signingKey: newSigningKey().privateKey,
    chunkKey: Buffer.from(random(32)).toString('hex'),
    indexIdentity: (await generateIdentity()).identity,
  };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const handle = openSync(`${file}.new`, 'w', 0o600);
  writeSync(handle, `${JSON.stringify(keys)}\n`);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(`${file}.new`, file);
  return keys;
}
