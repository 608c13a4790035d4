import { createHash } from 'node:crypto';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectDamaged } from '../../destinations/errors.ts';
import { sha256Hex } from '../hash.ts';
import { release } from '../release.ts';

const READ_BACK_BYTES = 2 * 1024 * 1024;

/** Stores an object and makes sure of it. What did not arrive as it was sent is taken away again: its name must stay free. */
export async function putConfirmed(
  destination: Destination,
  key: Key,
  body: Uint8Array,
  { sha256 = sha256Hex(body), signal }: { readonly sha256?: string; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { existed } = await destination.put(key, body, { sha256, ...(signal && { signal }) });
  try {
    await confirm(destination, key, body, sha256);
  } catch (error) {
    if (!existed && objectDamaged.is(error)) await destination.delete(key).catch(() => {});
    throw error;
  }
}

/** What the destination holds is what was sent: because it compared the hash itself, or by reading back. */
async function confirm(destination: Destination, key: Key, body: Uint8Array, sha256: string): Promise<void> {
  // Asking again would cost a second request for every pack, and tell nothing new.
  if (destination.capabilities.checksums) return;
  const hash = createHash('sha256');
  // In pieces: a second copy of every pack in memory would be half of what a backup needs.
  for (let offset = 0; offset < body.length; offset += READ_BACK_BYTES) {
    const length = Math.min(READ_BACK_BYTES, body.length - offset);
    const piece = await destination.get(key, { offset, length });
    hash.update(piece);
    release(piece);
  }
  const { sizeBytes } = await destination.stat(key);
  if (sizeBytes === body.length && hash.digest('hex') === sha256) return;
  throw objectDamaged({ destination: destination.name, key, why: 'it is not what was sent' });
}
