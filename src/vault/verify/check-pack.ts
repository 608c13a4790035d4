import { openPackObject } from '../read/pack.ts';

/**
 * Decrypts a pack and decompresses all of it: age's tags, zstd's checksums and the lengths in the table of contents must all
 * fit. Throws what does not.
 */
export async function checkPack(object: Uint8Array, identities: readonly string[]): Promise<void> {
  const pack = await openPackObject(object, identities, { usedAtOnce: true });
  for (const _piece of pack.read(0, pack.rawBytes)) {
    // Reading is the check.
  }
  pack.close();
}
