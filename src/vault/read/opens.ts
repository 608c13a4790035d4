import type { Destination, Key } from '../../destinations/destination.ts';
import { headerDamaged, noIdentityFits } from '../age/errors.ts';
import { MAX_HEADER_SIZE, openHeader } from '../age/header.ts';
import { manifestKey, packKey } from '../format/keys.ts';
import type { Needs } from '../needs.ts';

/** Enough for the headers of a dozen recipients; most have one or two. */
const FIRST_BYTES = 4096;
const AT_ONCE = 8;

/** Whether one identity opens the objects of restore points at one destination. Each object's header is read once. */
export interface KeyTrial {
  /** The manifest and every pack. The first that it does not open is in `key`; what cannot be read is thrown. */
  whole(needs: Needs): Promise<{ readonly opens: true } | { readonly opens: false; readonly key: Key }>;
}

/** Only headers are read: some kilobytes an object, not the data. That the data is whole is what `verify` and drills say. */
export function tryKey(destination: Destination, identity: string, signal: AbortSignal): KeyTrial {
  const known = new Map<Key, Promise<boolean>>();
  const opens = (key: Key, sizeBytes: number) => {
    const trial = known.get(key) ?? opensObject(destination, key, sizeBytes, identity, signal);
    known.set(key, trial);
    return trial;
  };
  return {
    async whole({ manifest, packs }) {
      const objects = [[manifestKey(manifest[0]), manifest[1]] as const];
      for (const [pack, sizeBytes] of packs) objects.push([packKey(pack), sizeBytes] as const);
      for (let at = 0; at < objects.length; at += AT_ONCE) {
        signal.throwIfAborted();
        const some = objects.slice(at, at + AT_ONCE);
        const answers = await Promise.all(some.map(([key, sizeBytes]) => opens(key, sizeBytes)));
        const [closed] = some[answers.indexOf(false)] ?? [];
        if (closed !== undefined) return { opens: false, key: closed };
      }
      return { opens: true };
    },
  };
}

async function opensObject(
  destination: Destination,
  key: Key,
  sizeBytes: number,
  identity: string,
  signal: AbortSignal,
): Promise<boolean> {
  const start = (length: number) =>
    destination.get(key, { offset: 0, length: Math.min(length, sizeBytes) }, { signal });
  try {
    await openHeader(await start(FIRST_BYTES), [identity]).catch(async (error: unknown) => {
      if (!headerDamaged.is(error)) throw error;
      // A header longer than that looks cut short.
      return await openHeader(await start(MAX_HEADER_SIZE), [identity]);
    });
    return true;
  } catch (error) {
    if (noIdentityFits.is(error)) return false;
    throw error;
  }
}
