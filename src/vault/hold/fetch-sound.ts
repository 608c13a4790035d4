import { sentenceOf } from '../../core/errors.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectDamaged, objectMissing } from '../../destinations/errors.ts';
import { firstSound, type Spoiled, traceOf } from '../../destinations/first-version.ts';
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

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** What it has by the record that names it. */
  readonly sizeBytes?: number | undefined;
}

/** Copies of each that could not be used: who failed goes last from then on, so that one bad place does not hold up every object. */
const failures = new WeakMap<Destination, number>();

function bestFirst(destinations: readonly Destination[]): readonly Destination[] {
  const failed = (one: Destination) => failures.get(one) ?? 0;
  return destinations.some(failed) ? [...destinations].sort((a, b) => failed(a) - failed(b)) : destinations;
}

/**
 * The bytes of an object that is named by its SHA-256, from the first destination that has them right. What was wrong with
 * the copies before it is told to `onDamage`. Where a copy is missing or wrong, and the place keeps versions, the sound one
 * among those serves; the usual path costs no request more. When no copy is sound, the last error is thrown.
 */
export async function fetchSound(
  destinations: readonly Destination[],
  key: Key,
  sha256: string,
  onDamage: (damage: Damage) => void,
  { signal, sizeBytes }: FetchOptions = {},
): Promise<Uint8Array> {
  const options = { ...(signal && { signal }), ...(sizeBytes !== undefined && { mostBytes: sizeBytes }) };
  let last: unknown = objectDamaged({ destination: 'every destination', key, why: 'there is no copy' });
  for (const destination of bestFirst(destinations)) {
    const fits = (bytes: Uint8Array) => {
      if (sha256Hex(bytes) === sha256) return bytes;
      const why = 'its bytes are not the ones that its name promises';
      throw objectDamaged({ destination: destination.name, key, why });
    };
    try {
      return fits(await destination.get(key, undefined, options));
    } catch (error) {
      signal?.throwIfAborted();
      last = error;
      failures.set(destination, (failures.get(destination) ?? 0) + 1);
      const first = await soundVersion(destination, key, error, fits, signal);
      onDamage(first === undefined ? damageOf(destination.name, key, error) : first.damage);
      if (first !== undefined) return first.bytes;
    }
  }
  throw last;
}

/** What lies under what a plain `get` gives, where that is missing or wrong. */
async function soundVersion(
  destination: Destination,
  key: Key,
  failure: unknown,
  fits: (bytes: Uint8Array) => Uint8Array,
  signal: AbortSignal | undefined,
): Promise<{ readonly bytes: Uint8Array; readonly damage: Damage } | undefined> {
  if (destination.history === undefined) return undefined;
  if (!objectMissing.is(failure) && !objectDamaged.is(failure)) return undefined;
  try {
    const trace = await traceOf(destination, key);
    if (trace === undefined) return undefined;
    const { bytes, spoiled } = await firstSound(destination, trace, fits, signal);
    // Not spoiled: it can be read now, and could not a moment ago.
    const damage = spoiled ? spoiledDamage(destination.name, key, spoiled) : damageOf(destination.name, key, failure);
    return { bytes, damage };
  } catch {
    // What was wrong with the plain copy says best what is the matter.
    signal?.throwIfAborted();
    return undefined;
  }
}
