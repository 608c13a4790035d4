import type { Destination, Key } from '../../destinations/destination.ts';
import { noIdentityFits } from '../age/errors.ts';
import { historyClosed } from '../errors.ts';
import { maxEpochKeyBytes } from '../format/grant.ts';
import { epochKeyKey } from '../format/keys.ts';
import type { SnapshotRecord } from '../format/record.ts';
import { type Damage, damageOf, fetchSound } from '../hold/fetch-sound.ts';
import { listHeld } from '../hold/listing.ts';
import { openEpochKey } from './epoch.ts';
import type { GrantedEpoch } from './grants.ts';

/** Beside the key objects that records and grants name, so many are tried: strangers may put any number there. */
const mostTried = 100;

export interface OpenEpochs {
  readonly destinations: readonly Destination[];
  readonly identities: readonly string[];
  readonly onDamage: (damage: Damage) => void;
  /** Which objects let in whom that came later, as those say who are believed. Asked where the first ones do not open. */
  readonly granted?: () => Promise<ReadonlyMap<string, GrantedEpoch>>;
  readonly signal?: AbortSignal;
}

export interface OpenedEpochs {
  /** What opens the packs and manifests. Secrets. */
  readonly identities: readonly string[];
  /** The epochs that could not be opened, and why. */
  readonly closed: ReadonlyArray<{ readonly epoch: string; readonly error: unknown }>;
}

/**
 * Opens the epochs that these key objects belong to: by the objects themselves, and by what was stored later for recipients that
 * were added since. Any sound copy serves.
 */
export async function openEpochs(keys: SnapshotRecord['keys'], request: OpenEpochs): Promise<OpenedEpochs> {
  const named = new Map<string, Map<Key, Named>>();
  for (const [epoch, id, sizeBytes] of keys) {
    const objects = named.get(epoch) ?? new Map<Key, Named>();
    named.set(epoch, objects.set(epochKeyKey(epoch, id), { id, sizeBytes }));
  }
  const identities: string[] = [];
  const closed: OpenedEpochs['closed'][number][] = [];
  for (const [epoch, objects] of named) {
    const opened = await openEpoch(epoch, objects, request);
    if (typeof opened === 'string') identities.push(opened);
    else closed.push({ epoch, error: opened.error });
  }
  return { identities, closed };
}

/** The same for a restore point, all of which must open. @throws `no-identity-fits`, `history-closed`, what is wrong with the objects */
export async function openEpochsOf(record: Pick<SnapshotRecord, 'keys'>, request: OpenEpochs): Promise<string[]> {
  const { identities, closed } = await openEpochs(record.keys, request);
  const [first] = closed;
  if (first === undefined && identities.length > 0) return [...identities];
  if (first === undefined) throw noIdentityFits({ identities: request.identities.length });
  throw identities.length > 0 && noIdentityFits.is(first.error) ? historyClosed({}) : first.error;
}

interface Named {
  readonly id: string;
  readonly sizeBytes: number;
}

async function openEpoch(
  epoch: string,
  named: ReadonlyMap<Key, Named>,
  { destinations, identities, onDamage, granted, signal }: OpenEpochs,
): Promise<string | { readonly error: unknown }> {
  let failure: unknown;
  const tried = new Set<Key>();
  const attempt = async (from: readonly Destination[], key: Key, { id, sizeBytes }: Named) => {
    tried.add(key);
    const mostBytes = Math.min(sizeBytes, maxEpochKeyBytes);
    try {
      const object = await fetchSound(from, key, id, onDamage, { signal, sizeBytes: mostBytes });
      return await openEpochKey(object, epoch, identities);
    } catch (error) {
      signal?.throwIfAborted();
      // That an object cannot be read says more than that another is for somebody else.
      if (failure === undefined || noIdentityFits.is(failure)) failure = error;
      return undefined;
    }
  };
  for (const [key, one] of named) {
    const opened = await attempt(destinations, key, one);
    if (opened !== undefined) return opened;
  }
  const grants = (await granted?.())?.get(epoch)?.grants ?? [];
  for (const [id, sizeBytes] of grants.map(({ key }) => key)) {
    const key = epochKeyKey(epoch, id);
    const opened = tried.has(key) ? undefined : await attempt(destinations, key, { id, sizeBytes });
    if (opened !== undefined) return opened;
  }
  for (const destination of destinations) {
    for (const { key, ...one } of await othersAt(destination, epoch, tried, onDamage)) {
      const opened = await attempt([destination], key, one);
      if (opened !== undefined) return opened;
    }
  }
  return { error: failure };
}

/** Key objects of the epoch that were stored for others. */
async function othersAt(
  destination: Destination,
  epoch: string,
  tried: ReadonlySet<Key>,
  onDamage: (damage: Damage) => void,
): Promise<(Named & { readonly key: Key })[]> {
  const found: (Named & { readonly key: Key })[] = [];
  try {
    for await (const [{ id }, { key, sizeBytes }] of listHeld(destination, ['epoch-key'], {
      under: `keys/${epoch}/`,
    })) {
      if (tried.has(key) || sizeBytes > maxEpochKeyBytes) continue;
      if (found.push({ key, id, sizeBytes }) >= mostTried) break;
    }
  } catch (error) {
    onDamage(damageOf(destination.name, `keys/${epoch}/`, error));
  }
  return found;
}
