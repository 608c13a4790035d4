import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectDamaged } from '../../destinations/errors.ts';
import { sha256Hex } from '../hash.ts';

/** A copy of an object that could not be used. */
export interface Damage {
  readonly destination: string;
  readonly key: Key;
  readonly code: string;
  readonly why: string;
}

/**
 * The bytes of an object that is named by its SHA-256, from the first destination that has them right. What was wrong with
 * the copies before it is told to `onDamage`. When no copy is sound, the last error is thrown.
 */
export async function fetchSound(
  destinations: readonly Destination[],
  key: Key,
  sha256: string,
  onDamage: (damage: Damage) => void,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  let last: unknown = objectDamaged({ destination: 'every destination', key, why: 'there is no copy' });
  for (const destination of destinations) {
    try {
      const bytes = await destination.get(key, undefined, signal === undefined ? {} : { signal });
      if (sha256Hex(bytes) === sha256) return bytes;
      throw objectDamaged({
        destination: destination.name,
        key,
        why: 'its bytes are not the ones that its name promises',
      });
    } catch (error) {
      signal?.throwIfAborted();
      last = error;
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      onDamage({ destination: destination.name, key, code, why: sentenceOf(error) });
    }
  }
  throw last;
}
