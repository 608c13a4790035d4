import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { sentenceOf } from '../../core/errors.ts';
import { writerKeysDamaged } from '../errors.ts';
import { publicKeyOf } from '../format/signing.ts';

/** What a writing host keeps of its keys. */
const shape = z.strictObject({
  format: z.literal(1),
  vault: z.string(),
  signingKey: z.string(),
  chunkKey: z.string().regex(/^[0-9a-f]{64}$/),
  indexIdentity: z.string().startsWith('AGE-SECRET-KEY-1'),
  /** Made before the vault: nothing was signed with it yet. */
  unused: z.literal(true).optional(),
});

export type StoredWriterKeys = z.infer<typeof shape>;

/** Undefined when there is no such file. @throws `writer-keys-damaged` */
export function readWriterKeys(file: string): StoredWriterKeys | undefined {
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

/** The vault that this host writes to and the public key that it signs with there. @throws `writer-keys-damaged` */
export function writerIn(file: string): { readonly vault: string; readonly publicKey: string } | undefined {
  const stored = readWriterKeys(file);
  return stored && { vault: stored.vault, publicKey: publicKeyOf(stored.signingKey) };
}

/** The public key that this host signs with in `vault`; undefined when it has none there. @throws `writer-keys-damaged` */
export function publicKeyIn(file: string, vault: string): string | undefined {
  const writer = writerIn(file);
  return writer?.vault === vault ? writer.publicKey : undefined;
}
