import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectDamaged } from '../../destinations/errors.ts';
import type { Spoiled } from '../../destinations/first-version.ts';
import { sha256Hex } from '../hash.ts';

/** A copy of an object that could not be used. */
export interface Damage {
  readonly destination: string;
  readonly key: Key;
  readonly code: string;
  readonly why: string;
}

export function damageOf(destination: string, key: Key, error: unknown): Damage {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return { destination, key, code, why: sentenceOf(error) };
}

/** Codes of objects that were tampered with and whose sound version is still there. */
export const spoiledCodes: readonly string[] = ['object-hidden', 'object-overwritten'];

export function spoiledDamage(destination: string, key: Key, { kind, why }: Spoiled): Damage {
  return { destination, key, code: `object-${kind}`, why };
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
      onDamage(damageOf(destination.name, key, error));
    }
  }
  throw last;
}
