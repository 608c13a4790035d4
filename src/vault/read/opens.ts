import type { Destination, Key } from '../../destinations/destination.ts';
import { headerDamaged, noIdentityFits } from '../age/errors.ts';
import { MAX_HEADER_SIZE, openHeader } from '../age/header.ts';
import { openEpochs } from '../epochs/open.ts';
import { manifestKey, packKey } from '../format/keys.ts';
import type { Needs } from '../hold/needs.ts';

/** An epoch has one recipient: more is somebody else's doing. */
const FIRST_BYTES = 4096;
const AT_ONCE = 8;

/** What a trial of one restore point found. */
export type Trial =
  | { readonly opens: true }
  /** `key`: the first that it does not open. `opensSome`: it opens an epoch that the restore point needs, and lacks another. */
  | { readonly opens: false; readonly key: Key; readonly opensSome: boolean };

/** Whether one identity opens the objects of restore points at one destination. Each object's header is read once. */
export interface KeyTrial {
  /** The epochs' keys, the manifest and every pack. What cannot be read is thrown. */
  whole(needs: Needs): Promise<Trial>;
}

/** Only headers are read: some kilobytes an object, not the data. That the data is whole is what `verify` and drills say. */
export function tryKey(destination: Destination, identity: string, signal: AbortSignal): KeyTrial {
  const known = new Map<Key, Promise<boolean>>();
  const epochs = new Map<string, string>();
  const openEpoch = async (keys: Needs['keys']) => {
    const request = { destinations: [destination], identities: [identity], onDamage: () => {}, signal };
    const { identities, closed } = await openEpochs(keys, request);
    if (closed[0] !== undefined && !noIdentityFits.is(closed[0].error)) throw closed[0].error;
    return identities[0];
  };
  const opens = async (key: Key, sizeBytes: number, identities: readonly string[]) => {
    const trial = known.get(key) ?? opensObject(destination, key, sizeBytes, identities, signal);
    known.set(key, trial);
    const answer = await trial;
    if (!answer) known.delete(key);
    return answer;
  };
  return {
    async whole({ manifest, packs, keys }) {
      const identities: string[] = [];
      let closed: Key | undefined;
      for (const epoch of new Set(keys.map(([epoch]) => epoch))) {
        // Only what opens is kept: another record may name another object of the same epoch.
        const opened = epochs.get(epoch) ?? (await openEpoch(keys.filter(([of]) => of === epoch)));
        if (opened === undefined) closed ??= `keys/${epoch}/`;
        else {
          epochs.set(epoch, opened);
          identities.push(opened);
        }
      }
      const opensSome = identities.length > 0;
      if (closed !== undefined || !opensSome) return { opens: false, key: closed ?? 'keys/', opensSome };
      const objects = [[manifestKey(manifest[0]), manifest[1]] as const];
      for (const [pack, sizeBytes] of packs) objects.push([packKey(pack), sizeBytes] as const);
      for (let at = 0; at < objects.length; at += AT_ONCE) {
        signal.throwIfAborted();
        const some = objects.slice(at, at + AT_ONCE);
        const answers = await Promise.all(some.map(([key, sizeBytes]) => opens(key, sizeBytes, identities)));
        const [shut] = some[answers.indexOf(false)] ?? [];
        if (shut !== undefined) return { opens: false, key: shut, opensSome };
      }
      return { opens: true };
    },
  };
}

async function opensObject(
  destination: Destination,
  key: Key,
  sizeBytes: number,
  identities: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const start = (length: number) =>
    destination.get(key, { offset: 0, length: Math.min(length, sizeBytes) }, { signal });
  try {
    await openHeader(await start(FIRST_BYTES), identities).catch(async (error: unknown) => {
      if (!headerDamaged.is(error)) throw error;
      // A header longer than that looks cut short.
      return await openHeader(await start(MAX_HEADER_SIZE), identities);
    });
    return true;
  } catch (error) {
    if (noIdentityFits.is(error)) return false;
    throw error;
  }
}
